package io.llmc4j.formats.export.bitsandbytes;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.export.CodesWriter;
import io.llmc4j.formats.export.LayerRules;
import io.llmc4j.formats.export.ModuleFormat;
import io.llmc4j.formats.export.ModuleTensors;
import io.llmc4j.formats.export.ModuleToWrite;
import io.llmc4j.formats.export.ModuleWriter;
import io.llmc4j.formats.export.PlannedLayer;
import io.llmc4j.formats.hf.StoredModule;
import io.llmc4j.formats.hf.WeightReader;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * bitsandbytes. {@code bnb-int8} stores the run's codes. {@code bnb-nf4} and {@code bnb-fp4} round the weights themselves, on a grid that no method here
 * works with: they take each quantized layer's transformed float weight, so that a transformation (AWQ, SmoothQuant, a rotation) is kept and the
 * rounding is bitsandbytes' own.
 *
 * @param name "bnb-nf4", "bnb-fp4" or "bnb-int8"
 */
public record BitsAndBytesFormat(String name) implements ModuleFormat {

    private Optional<FourBit.Table> table() {
        return switch (name) {
            case "bnb-nf4" -> Optional.of(FourBit.Table.NF4);
            case "bnb-fp4" -> Optional.of(FourBit.Table.FP4);
            default -> Optional.empty();
        };
    }

    @Override
    public String directory() {
        return name.replace('-', '_') + "_model";
    }

    @Override
    public String description() {
        return table().map(t -> "bitsandbytes " + t + ", which rounds the transformed weights in blocks of 64 itself; Transformers")
                .orElse("bitsandbytes LLM.int8, 8 bits symmetric per channel; Transformers");
    }

    @Override
    public boolean holdsCodes() {
        return true;
    }

    @Override
    public boolean roundsAgain() {
        return table().isPresent();
    }

    @Override
    public boolean symmetricByDefault() {
        return true;
    }

    @Override
    public List<String> problems(PlannedLayer layer) {
        List<String> out = new ArrayList<>();
        if (layer.weight().isEmpty() || table().isPresent()) {
            return out;
        }
        QuantScheme w = layer.weight().get();
        LayerRules.codes(layer, out);
        if (!w.isInteger() || w.bits() != 8 || !w.symmetric() || w.granularity().kind() != Granularity.Kind.PER_CHANNEL) {
            out.add(w.format() + (w.symmetric() ? " symmetric " : " asymmetric ") + w.granularity().kind() + " weights: it takes 8 bits, symmetric, per channel");
        }
        if (layer.activation().map(QuantScheme::isStatic).orElse(false)) {
            out.add("static activations: it rounds inputs by their own ranges");
        }
        return out;
    }

    @Override
    public ModuleWriter writer(DType modelType) {
        return new Writer(modelType);
    }

    private final class Writer extends CodesWriter {

        private final DType modelType;
        private final Int8Rows int8 = new Int8Rows();

        Writer(DType modelType) {
            this.modelType = modelType;
        }

        @Override
        protected Coded encode(ModuleToWrite m, Arena arena) {
            if (table().isPresent()) {
                FourBit.Rounded r = FourBit.round(table().get(), m.transformed(), modelType, arena);
                return new Coded(r.tensors(), Optional.empty(), r.values(), r.values(), 0);
            }
            QuantizedMatrix q = codes(m, int8);
            return Coded.of(int8, m, q, int8.encode(q, arena));
        }

        @Override
        public void describe(ObjectNode config, String head) {
            ObjectNode q = config.putObject("quantization_config");
            q.put("_load_in_4bit", table().isPresent());
            q.put("_load_in_8bit", table().isEmpty());
            q.put("bnb_4bit_compute_dtype", modelType == DType.F32 ? "float32" : modelType == DType.F16 ? "float16" : "bfloat16");
            q.put("bnb_4bit_quant_storage", "uint8");
            q.put("bnb_4bit_quant_type", table().map(FourBit.Table::label).orElse("fp4"));
            q.put("bnb_4bit_use_double_quant", false);
            q.put("llm_int8_enable_fp32_cpu_offload", false);
            q.put("llm_int8_has_fp16_weight", false);
            ArrayNode skip = q.putArray("llm_int8_skip_modules").add(head);
            floats().forEach(skip::add);
            q.put("llm_int8_threshold", 6.0);
            q.put("load_in_4bit", table().isPresent());
            q.put("load_in_8bit", table().isEmpty());
            q.put("quant_method", "bitsandbytes");
        }
    }

    /** Reads the modules of a bitsandbytes model: NF4, FP4, LLM.int8, by the tensors that each has. */
    public static final class Reader implements WeightReader {

        private final Int8Rows int8 = new Int8Rows();

        private static boolean fourBit(StoredModule m) {
            return m.find("weight.absmax").isPresent();
        }

        @Override
        public boolean holds(StoredModule m) {
            return fourBit(m) || m.find("SCB").isPresent();
        }

        @Override
        public List<String> tensors(StoredModule m) {
            return (fourBit(m) ? FourBit.PARTS : Int8Rows.PARTS).stream().filter(p -> m.find(p).isPresent()).map(m::tensorName).toList();
        }

        @Override
        public Matrix weight(StoredModule m) {
            ModuleTensors t = new ModuleTensors(m.name(), m.store()::find);
            Matrix w = fourBit(m) ? FourBit.decode(t) : int8.decode(t).dequantize();
            if (w.rows() != m.layout().out() || w.cols() != m.layout().in()) {
                throw BadInput.of(BadInput.Common.FORMAT, "%s: its tensors hold a weight %s, the architecture needs [%d, %d]", m.name(), w, m.layout().out(),
                        m.layout().in());
            }
            return w;
        }

        @Override
        public Optional<QuantizedMatrix> codes(StoredModule m) {
            return fourBit(m) ? Optional.empty() : Optional.of(int8.decode(new ModuleTensors(m.name(), m.store()::find)));
        }
    }
}
