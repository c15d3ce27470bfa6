package io.llmc4j.formats.export.hqq;

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

/** HQQ, groups along the inputs (axis 1), scales and zeros in half precision, as Transformers loads it. */
public record HqqFormat() implements ModuleFormat {

    @Override
    public String name() {
        return "hqq";
    }

    @Override
    public String directory() {
        return "hqq_quant_model";
    }

    @Override
    public String description() {
        return "HQQ, 1, 2, 3, 4 and 8 bits with real-valued zeros; hqq, Transformers";
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
    public List<String> problems(PlannedLayer layer) {
        List<String> out = new ArrayList<>();
        if (layer.weight().isEmpty()) {
            return out;
        }
        QuantScheme w = layer.weight().get();
        Granularity.Kind kind = w.granularity().kind();
        LayerRules.codes(layer, out);
        if (!w.isInteger() || !HqqModule.WIDTHS.contains(w.bits())) {
            out.add(w.format() + " weights: it takes integers of 1, 2, 3, 4 and 8 bits");
            return out;
        }
        if (kind != Granularity.Kind.PER_GROUP && kind != Granularity.Kind.PER_CHANNEL) {
            out.add("scales " + kind + ": it takes them per group or channel");
            return out;
        }
        int size = kind == Granularity.Kind.PER_GROUP ? w.granularity().size() : layer.in();
        if (layer.in() % size != 0) {
            out.add("in_features " + layer.in() + " in groups of " + size + ": they must divide");
        } else if (w.bits() != 3 && layer.out() * (layer.in() / size) % Slabs.slabs(w.bits()) != 0) {
            out.add(layer.out() * (layer.in() / size) + " groups: it packs them by " + Slabs.slabs(w.bits()));
        }
        LayerRules.weightsAlone(layer, out);
        LayerRules.contiguousGroups(layer, out);
        return out;
    }

    @Override
    public ModuleWriter writer(DType modelType) {
        return new Writer();
    }

    private static final class Writer extends CodesWriter {

        private Optional<HqqModule> first = Optional.empty();
        private boolean roundZero;

        @Override
        protected Coded encode(ModuleToWrite m, Arena arena) {
            QuantizedMatrix q = m.codes();
            refuse(m, HqqModule.whyNot(q));
            HqqModule h = HqqModule.of(q);
            if (first.isEmpty()) {
                // its settings alone: the codes are not needed again
                first = Optional.of(new HqqModule(h.rows(), h.cols(), h.bits(), h.groupSize(), h.axis(), new byte[0], new float[0], new float[0]));
                roundZero = q.scheme().roundZeroPoint();
            }
            // a real-valued zero in half precision is off by up to 2^-11 of itself, in steps of the scale
            double zero = 0;
            double step = 0;
            for (int i = 0; i < h.scales().length; i++) {
                zero = Math.max(zero, Math.abs(h.zeros()[i]));
                step = Math.max(step, Math.abs(h.scales()[i]));
            }
            double slack = q.scheme().roundZeroPoint() ? 0 : 0x1.1p-11 * zero * step;
            return new Coded(h.encode(q.scheme().roundZeroPoint(), arena), h.matrix(), h.values(), m.fake(), slack);
        }

        @Override
        public void describe(ObjectNode config, String head) {
            ObjectNode q = config.putObject("quantization_config");
            ObjectNode params = q.putObject("quant_config");
            ObjectNode weights = params.putObject("weight_quant_params");
            weights.put("nbits", first.map(HqqModule::bits).orElse(4));
            weights.put("channel_wise", true);
            weights.put("group_size", first.map(HqqModule::groupSize).orElse(64));
            weights.put("optimize", true);
            weights.put("round_zero", roundZero);
            weights.put("axis", 1);
            weights.put("view_as_float", false);
            params.putNull("scale_quant_params");
            params.putNull("zero_quant_params");
            params.put("offload_meta", false);
            q.put("quant_method", "hqq");
            ArrayNode skip = q.putArray("skip_modules").add(head);
            floats().forEach(skip::add);
        }
    }

    /** Reads the modules of an HQQ model in safetensors. */
    public static final class Reader implements WeightReader {

        private static HqqModule module(StoredModule m) {
            HqqModule h = HqqModule.decode(new ModuleTensors(m.name(), m.store()::find));
            if (h.rows() != m.layout().out() || h.cols() != m.layout().in()) {
                throw BadInput.of(BadInput.Common.FORMAT, "%s: its tensors hold a weight [%d, %d], the architecture needs [%d, %d]", m.name(), h.rows(), h.cols(),
                        m.layout().out(), m.layout().in());
            }
            return h;
        }

        @Override
        public boolean holds(StoredModule m) {
            return m.find("W_q").isPresent();
        }

        @Override
        public List<String> tensors(StoredModule m) {
            return HqqModule.PARTS.stream().filter(p -> m.find(p).isPresent()).map(m::tensorName).toList();
        }

        @Override
        public Matrix weight(StoredModule m) {
            return module(m).values();
        }

        @Override
        public Optional<QuantizedMatrix> codes(StoredModule m) {
            return module(m).matrix();
        }
    }
}
