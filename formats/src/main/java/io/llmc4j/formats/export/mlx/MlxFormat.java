package io.llmc4j.formats.export.mlx;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.formats.export.CodecReader;
import io.llmc4j.formats.export.CodesWriter;
import io.llmc4j.formats.export.LayerRules;
import io.llmc4j.formats.export.ModuleFormat;
import io.llmc4j.formats.export.ModuleToWrite;
import io.llmc4j.formats.export.ModuleWriter;
import io.llmc4j.formats.export.PlannedLayer;
import io.llmc4j.formats.export.WeightCodec;
import io.llmc4j.formats.hf.StoredModule;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * MLX affine. config.json says {@code quantization} {group_size, bits, mode} and repeats it as {@code quantization_config}; modules with other
 * settings, and those that stay float (false), stand in it under their paths.
 */
public record MlxFormat() implements ModuleFormat {

    @Override
    public String name() {
        return "mlx";
    }

    @Override
    public String directory() {
        return "mlx_quant_model";
    }

    @Override
    public String description() {
        return "MLX affine, 2 to 8 bits in groups of 32, 64 or 128; mlx-lm";
    }

    @Override
    public boolean holdsCodes() {
        return true;
    }

    @Override
    public boolean symmetricByDefault() {
        return false;
    }

    @Override
    public Map<String, String> metadata() {
        return Map.of("format", "mlx");
    }

    @Override
    public List<String> problems(PlannedLayer layer) {
        List<String> out = new ArrayList<>();
        if (layer.weight().isEmpty()) {
            return out;
        }
        QuantScheme w = layer.weight().get();
        LayerRules.codes(layer, out);
        if (!w.isInteger() || !MlxCodec.WIDTHS.contains(w.bits())) {
            out.add(w.format() + " weights: it takes integers of 2, 3, 4, 5, 6 and 8 bits");
        }
        if (w.granularity().kind() != Granularity.Kind.PER_GROUP || !MlxCodec.GROUPS.contains(w.granularity().size())) {
            out.add("scales " + w.granularity().kind() + " " + w.granularity().size() + ": it takes groups of 32, 64 and 128");
        } else if (layer.in() % w.granularity().size() != 0) {
            out.add("in_features " + layer.in() + " in groups of " + w.granularity().size() + ": they must divide");
        }
        LayerRules.weightsAlone(layer, out);
        LayerRules.contiguousGroups(layer, out);
        return out;
    }

    private record Setting(int bits, int groupSize) implements java.io.Serializable {
        static Setting of(QuantizedMatrix q) {
            return new Setting(q.scheme().bits(), q.scheme().granularity().size());
        }

        ObjectNode json() {
            return JsonNodeFactory.instance.objectNode().put("group_size", groupSize).put("bits", bits).put("mode", "affine");
        }
    }

    @Override
    public ModuleWriter writer(DType modelType) {
        return new Writer();
    }

    private static final class Writer extends CodesWriter {

        private final Map<String, Setting> settings = new LinkedHashMap<>();

        @Override
        protected Coded encode(ModuleToWrite m, Arena arena) {
            QuantizedMatrix q = m.codes();
            Setting s = Setting.of(q);
            MlxCodec codec = new MlxCodec(s.bits, s.groupSize);
            refuse(m, codec.whyNot(q));
            settings.put(m.name(), s);
            return Coded.of(codec, m, q, codec.encode(q, arena));
        }

        @Override
        public void describe(ObjectNode config, String head) {
            Setting first = settings.isEmpty() ? new Setting(4, 64) : settings.values().iterator().next();
            ObjectNode q = first.json();
            settings.forEach((name, s) -> {
                if (!s.equals(first)) {
                    q.set(name, s.json());
                }
            });
            floats().forEach(f -> q.put(f, false));
            config.set("quantization", q);
            config.set("quantization_config", q.deepCopy());
        }
    }

    /** Reads the linear modules of an MLX model in affine mode. */
    public static final class Reader extends CodecReader {

        private final JsonNode config;

        public Reader(JsonNode config) {
            super(List.of("weight", "scales", "biases"), List.of());
            this.config = config;
            if (!config.path("mode").asText("affine").equals("affine")) {
                throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "quantization: MLX mode '%s'; read here: affine", config.path("mode").asText());
            }
        }

        /** Whether a quantization setting of config.json is MLX's. */
        public static boolean describes(JsonNode q) {
            return !q.has("quant_method") && q.path("bits").isInt() && q.path("group_size").isInt();
        }

        @Override
        public boolean holds(StoredModule m) {
            return m.find("scales").isPresent();
        }

        @Override
        protected WeightCodec codec(StoredModule m) {
            JsonNode own = config.path(m.name()).isObject() ? config.path(m.name()) : config;
            int bits = own.path("bits").asInt(4);
            int group = own.path("group_size").asInt(64);
            if (!MlxCodec.WIDTHS.contains(bits) || group <= 0) {
                throw BadInput.of(BadInput.Common.FORMAT, "%s: quantization says %d bits in groups of %d; 2, 3, 4, 5, 6 and 8 bits are known", m.name(), bits, group);
            }
            return new MlxCodec(bits, group);
        }
    }
}
