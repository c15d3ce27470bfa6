package io.llmc4j.formats.export.lightx2v;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.ScaleFormat;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.export.CodecReader;
import io.llmc4j.formats.export.LayerRules;
import io.llmc4j.formats.export.ModuleFormat;
import io.llmc4j.formats.export.ModuleToWrite;
import io.llmc4j.formats.export.ModuleWriter;
import io.llmc4j.formats.export.PlannedLayer;
import io.llmc4j.formats.export.WeightCodec;
import io.llmc4j.formats.export.compressedtensors.Codecs;
import io.llmc4j.formats.hf.StoredModule;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What LLMC writes for LightX2V: {@code weight} I8 or F8_E4M3 with {@code weight_scale} F32 [out, 1], and {@code "quant_method": "advanced_ptq"} at the top
 * of config.json. Inputs are rounded per token by the server; nothing of them is stored.
 */
public record LightX2vFormat(String name, String directory, String description) implements ModuleFormat {

    /** What config.json says. */
    public static final String METHOD = "advanced_ptq";

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
        boolean int8 = w.isInteger() && w.bits() == 8 && w.symmetric();
        boolean fp8 = w.format() instanceof NumberFormat.Float f && f.label().equals("e4m3") && f.path() != NumberFormat.Float.Path.ADAPTIVE
                && w.scaleFormat() == ScaleFormat.FLOAT;
        if (!int8 && !fp8) {
            out.add(w.format() + (w.symmetric() ? "" : " asymmetric") + " weights: it takes symmetric 8-bit integers and e4m3");
        }
        if (w.granularity().kind() != Granularity.Kind.PER_CHANNEL) {
            out.add("scales " + w.granularity().kind() + ": it takes them per channel");
        }
        if (layer.activation().map(QuantScheme::isStatic).orElse(false)) {
            out.add("static activations: it rounds inputs by their own ranges");
        }
        return out;
    }

    private static WeightCodec codec(boolean floats) {
        return Codecs.perChannel(floats);
    }

    @Override
    public ModuleWriter writer(DType modelType) {
        return new ModuleWriter() {
            @Override
            public Optional<Coded> coded(ModuleToWrite m, Arena arena) {
                if (m.weightScheme().isEmpty()) {
                    return Optional.empty();
                }
                QuantizedMatrix q = m.codes();
                WeightCodec c = codec(!q.scheme().isInteger());
                if (!c.whyNot(q).isEmpty()) {
                    throw BadInput.of(BadInput.Common.FORMAT, "%s cannot be written: %s", m.name(), c.whyNot(q));
                }
                return Optional.of(Coded.of(c, m, q, c.encode(q, arena)));
            }

            @Override
            public Matrix floats(ModuleToWrite m) {
                return m.transformed();
            }

            @Override
            public void describe(ObjectNode config, String head) {
                config.put("quant_method", METHOD);
            }
        };
    }

    /** Reads such a directory. */
    public static final class Reader extends CodecReader {

        public Reader() {
            super(List.of("weight", "weight_scale"), List.of("input_scale"));
        }

        @Override
        public boolean holds(StoredModule m) {
            return m.find("weight_scale").isPresent();
        }

        @Override
        protected WeightCodec codec(StoredModule m) {
            return LightX2vFormat.codec(m.get("weight").dtype() == DType.F8_E4M3);
        }
    }
}
