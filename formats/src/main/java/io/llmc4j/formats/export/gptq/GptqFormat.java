package io.llmc4j.formats.export.gptq;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.NullNode;
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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The format of AutoGPTQ and GPTQModel. {@code gptq} writes version 1 where the grid is symmetric and version 2 where it is not, because version 1
 * has no place for a zero point of 0; {@code gptq_v2} always writes version 2. Modules with other bits or group sizes than the first are listed
 * under {@code dynamic}, and so are those that stay float.
 *
 * @param alwaysVersion2 whether symmetric models are version 2 too
 */
public record GptqFormat(String name, String directory, String description, boolean alwaysVersion2) implements ModuleFormat {

    private static final Set<Integer> WIDTHS = Set.of(2, 3, 4, 8);

    @Override
    public boolean holdsCodes() {
        return true;
    }

    @Override
    public boolean symmetricByDefault() {
        return true;
    }

    @Override
    public List<String> problems(PlannedLayer layer) {
        List<String> out = new ArrayList<>();
        if (layer.weight().isEmpty()) {
            return out;
        }
        QuantScheme w = layer.weight().get();
        LayerRules.codes(layer, out);
        if (!w.isInteger() || !WIDTHS.contains(w.bits())) {
            out.add(w.format() + " weights: it takes integers of 2, 3, 4 and 8 bits");
        } else if (!w.symmetric() && !w.roundZeroPoint()) {
            out.add("real-valued zero points: it takes integers");
        }
        LayerRules.groupsOrChannels(layer, out);
        LayerRules.weightsAlone(layer, out);
        if (layer.in() % 32 != 0 || layer.out() % 32 != 0) {
            out.add("a weight [" + layer.out() + ", " + layer.in() + "]: both must be multiples of 32");
        }
        return out;
    }

    /** One header says whether the model is symmetric, and so which version it is. */
    @Override
    public List<String> problems(List<PlannedLayer> layers) {
        long kinds = layers.stream().flatMap(l -> l.weight().stream()).map(QuantScheme::symmetric).distinct().count();
        return kinds <= 1 ? List.of() : List.of("symmetric and asymmetric layers in one model: its sym is one for all");
    }

    @Override
    public ModuleWriter writer(DType modelType) {
        return new Writer();
    }

    private final class Writer extends CodesWriter {

        private Optional<Header> header = Optional.empty();
        private boolean actOrder;
        private JsonNode described = NullNode.getInstance();
        private final Map<String, Header> others = new LinkedHashMap<>();

        private record Header(int bits, int groupSize, boolean symmetric) implements java.io.Serializable {
            static Header of(QuantizedMatrix q) {
                Granularity g = q.scheme().granularity();
                return new Header(q.scheme().bits(), g.kind() == Granularity.Kind.PER_GROUP ? g.size() : -1, q.scheme().symmetric());
            }
        }

        @Override
        protected Coded encode(ModuleToWrite m, Arena arena) {
            QuantizedMatrix q = m.codes();
            Header own = Header.of(q);
            if (header.isEmpty()) {
                header = Optional.of(own);
            } else if (!header.get().equals(own)) {
                if (header.get().symmetric != own.symmetric) {
                    throw BadInput.of(BadInput.Common.FORMAT, "%s: GPTQ's sym is one for all modules, and this one differs from the first", m.name());
                }
                others.put(m.name(), own);
            }
            GptqCodec codec = new GptqCodec(own.bits, own.symmetric, version1());
            refuse(m, codec.whyNot(q));
            actOrder |= q.columnGroup().length != 0;
            return Coded.of(codec, m, q, codec.encode(q, arena));
        }

        private boolean version1() {
            return !alwaysVersion2 && header.orElseThrow().symmetric;
        }

        @Override
        public void describe(ObjectNode config, String head) {
            ObjectNode q = config.putObject("quantization_config");
            Header h = header.orElse(new Header(4, -1, true));
            q.put("bits", h.bits);
            q.put("checkpoint_format", header.isPresent() && version1() ? "gptq" : "gptq_v2");
            q.put("desc_act", actOrder);
            if (!others.isEmpty() || !floats().isEmpty()) {
                ObjectNode dynamic = q.putObject("dynamic");
                floats().forEach(f -> dynamic.putObject("-:" + exactly(f)));
                others.forEach((name, o) -> dynamic.putObject("+:" + exactly(name)).put("bits", o.bits).put("group_size", o.groupSize));
            }
            q.put("group_size", h.groupSize);
            q.put("lm_head", false);
            q.put("pack_dtype", "int32");
            q.put("quant_method", "gptq");
            q.put("sym", h.symmetric);
            described = q;
        }

        /** Loaders older than quantization_config read this one. */
        @Override
        public Map<String, JsonNode> files() {
            return Map.of("quantize_config.json", described);
        }

        private static String exactly(String module) {
            return "^" + module.replace(".", "\\.") + "$";
        }
    }
}
