package io.llmc4j.formats.export.mxfp4;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.export.LayerRules;
import io.llmc4j.formats.export.ModuleFormat;
import io.llmc4j.formats.export.ModuleToWrite;
import io.llmc4j.formats.export.ModuleWriter;
import io.llmc4j.formats.export.PlannedLayer;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;

/** GPT-OSS's experts as their publisher stores them. All experts of the model are codes, and nothing else is. */
public record Mxfp4Format() implements ModuleFormat {

    @Override
    public String name() {
        return "mxfp4";
    }

    @Override
    public String directory() {
        return "mxfp4_quant_model";
    }

    @Override
    public String description() {
        return "GPT-OSS's stacked experts in MXFP4, all else float, as published; vLLM, Transformers";
    }

    @Override
    public boolean holdsCodes() {
        return true;
    }

    @Override
    public boolean symmetricByDefault() {
        return true;
    }

    @Override
    public boolean stackedExperts() {
        return true;
    }

    @Override
    public boolean stackedExpertsOnly() {
        return true;
    }

    @Override
    public List<String> problems(PlannedLayer layer) {
        List<String> out = new ArrayList<>();
        if (layer.weight().isEmpty()) {
            return out;
        }
        if (!layer.stacked()) {
            out.add("it holds codes of stacked experts (GPT-OSS) alone; list other layers under ignored_layers");
            return out;
        }
        String why = StackedMxfp4.whyNot(layer.weight().get());
        if (!why.isEmpty()) {
            out.add(why);
        }
        LayerRules.codes(layer, out);
        if (layer.in() % StackedMxfp4.GROUP != 0) {
            out.add("in_features " + layer.in() + ": it takes multiples of " + StackedMxfp4.GROUP);
        }
        LayerRules.weightsAlone(layer, out);
        LayerRules.contiguousGroups(layer, out);
        return out;
    }

    @Override
    public List<String> problems(List<PlannedLayer> layers) {
        List<String> left = layers.stream().filter(l -> l.stacked() && l.weight().isEmpty()).map(PlannedLayer::name).toList();
        if (layers.stream().noneMatch(PlannedLayer::stacked)) {
            return List.of("the model has no stacked experts");
        }
        return left.isEmpty() ? List.of() : List.of("it holds the codes of every expert or of none, and these stay float: " + String.join(", ", left));
    }

    @Override
    public ModuleWriter writer(DType modelType) {
        return new Writer();
    }

    private static final class Writer implements ModuleWriter {

        /** Attention and router of every block, with * for its number, as the published models name them. */
        private final LinkedHashSet<String> floats = new LinkedHashSet<>();

        @Override
        public boolean stacks() {
            return true;
        }

        @Override
        public Optional<Coded> coded(ModuleToWrite m, Arena arena) {
            Optional<QuantScheme> scheme = m.weightScheme();
            if (scheme.isEmpty()) {
                floats.add(m.name().replaceFirst("\\.\\d+\\.", ".*.").replaceFirst("\\.[qkvo]_proj$", ""));
                return Optional.empty();
            }
            QuantizedMatrix q = m.codes();
            String why = !m.layout().stacked() ? "it is no stacked expert" : q.columnGroup().length > 0 ? "its columns are grouped in another order"
                    : StackedMxfp4.whyNot(q.scheme());
            if (!why.isEmpty()) {
                throw BadInput.of(BadInput.Common.FORMAT, "%s cannot be written: %s", m.name(), why);
            }
            QuantizedMatrix stored = StackedMxfp4.stored(q);
            return Optional.of(new Coded(StackedMxfp4.encode(q, arena), Optional.of(stored), stored.dequantize(), m.fake(), 0));
        }

        @Override
        public Matrix floats(ModuleToWrite m) {
            return m.transformed();
        }

        @Override
        public void carried(String module) {
            floats.add(module);
        }

        @Override
        public void describe(ObjectNode config, String head) {
            ObjectNode q = config.putObject("quantization_config");
            ArrayNode skip = q.putArray("modules_to_not_convert");
            floats.forEach(skip::add);
            skip.add("model.embed_tokens").add(head);
            q.put("quant_method", "mxfp4");
        }
    }
}
