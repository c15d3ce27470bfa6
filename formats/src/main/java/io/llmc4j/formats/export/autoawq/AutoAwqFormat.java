package io.llmc4j.formats.export.autoawq;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.formats.export.CodesWriter;
import io.llmc4j.formats.export.LayerRules;
import io.llmc4j.formats.export.ModuleFormat;
import io.llmc4j.formats.export.ModuleToWrite;
import io.llmc4j.formats.export.ModuleWriter;
import io.llmc4j.formats.export.PlannedLayer;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * AutoAWQ, and MLC-LLM, which converts the same files. The codes are those of the run, clamped to 0 … 15 (LLMC computes them once more from the
 * float weight with the rounded scale and does not clamp, so that a 16 spills into the neighbour). One scale a channel is written as one group of
 * all inputs, {@code group_size} -1.
 */
public record AutoAwqFormat(String name, String directory, String description) implements ModuleFormat {

    @Override
    public boolean holdsCodes() {
        return true;
    }

    @Override
    public boolean symmetricByDefault() {
        return false;
    }

    @Override
    public List<String> problems(PlannedLayer layer) {
        List<String> out = new ArrayList<>();
        if (layer.weight().isEmpty()) {
            return out;
        }
        QuantScheme w = layer.weight().get();
        Granularity.Kind kind = w.granularity().kind();
        LayerRules.codes(layer, out);
        if (!w.isInteger() || w.bits() != 4) {
            out.add(w.format() + " weights: it takes 4-bit integers");
        } else if (w.symmetric()) {
            out.add("symmetric weights: it takes asymmetric ones");
        } else if (!w.roundZeroPoint()) {
            out.add("real-valued zero points: it takes integers");
        }
        LayerRules.groupsOrChannels(layer, out);
        LayerRules.weightsAlone(layer, out);
        LayerRules.contiguousGroups(layer, out);
        if (layer.out() % 32 != 0) {
            out.add("out_features " + layer.out() + ": it takes multiples of 32");
        }
        if (kind == Granularity.Kind.PER_GROUP && layer.in() % w.granularity().size() != 0) {
            out.add("in_features " + layer.in() + " in groups of " + w.granularity().size() + ": they must divide");
        }
        return out;
    }

    @Override
    public ModuleWriter writer(DType modelType) {
        return new Writer();
    }

    private static final class Writer extends CodesWriter {

        private final AwqGemm codec = new AwqGemm();
        private Optional<Granularity> granularity = Optional.empty();

        @Override
        protected Coded encode(ModuleToWrite m, Arena arena) {
            QuantizedMatrix q = codes(m, codec);
            if (granularity.isPresent() && !granularity.get().equals(q.scheme().granularity())) {
                throw BadInput.of(BadInput.Common.FORMAT, "%s: AutoAWQ has one group size a model, found %s after %s", m.name(), q.scheme().granularity(),
                        granularity.get());
            }
            granularity = Optional.of(q.scheme().granularity());
            return Coded.of(codec, m, q, codec.encode(q, arena));
        }

        @Override
        public void describe(ObjectNode config, String head) {
            ObjectNode q = config.putObject("quantization_config");
            q.put("bits", 4);
            q.put("group_size", granularity.filter(g -> g.kind() == Granularity.Kind.PER_GROUP).map(Granularity::size).orElse(-1));
            if (floats().isEmpty()) {
                q.putNull("modules_to_not_convert");
            } else {
                ArrayNode skip = q.putArray("modules_to_not_convert").add(head);
                floats().forEach(skip::add);
            }
            q.put("quant_method", "awq");
            q.put("version", "gemm");
            q.put("zero_point", true);
        }
    }
}
