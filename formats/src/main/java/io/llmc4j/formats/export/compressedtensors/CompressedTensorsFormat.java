package io.llmc4j.formats.export.compressedtensors;

import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.pipeline.KvCacheScheme;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.ScaleFormat;
import io.llmc4j.formats.export.LayerRules;
import io.llmc4j.formats.export.ModuleFormat;
import io.llmc4j.formats.export.FusedParts;
import io.llmc4j.formats.export.ModuleWriter;
import io.llmc4j.formats.export.PlannedLayer;
import io.llmc4j.engine.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * compressed-tensors, and what LLMC writes for vLLM, SGLang and LightLLM: the same but for FP8 with blocks or static activations, where those servers
 * are given the {@code fp8} method.
 *
 * @param server        LLMC's dialect: blocks and static FP8 by the fp8 method
 * @param symmetricOnly the server's kernels have no zero points
 */
public record CompressedTensorsFormat(String name, String directory, String description, boolean server, boolean symmetricOnly) implements ModuleFormat {

    private static final Set<Integer> PACKED_WIDTHS = Set.of(2, 3, 4, 8);

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
        switch (w.format()) {
            case NumberFormat.Int i -> integers(layer, w, out);
            case NumberFormat.Float f -> floats(layer, w, f, out);
            case NumberFormat.Int4OverInt8 i -> out.add("4-bit codes over 8-bit codes have no place in it");
        }
        return out;
    }

    private void integers(PlannedLayer layer, QuantScheme w, List<String> out) {
        Granularity.Kind kind = w.granularity().kind();
        if (!PACKED_WIDTHS.contains(w.bits()) && (server || w.bits() < 2 || w.bits() > 8)) {
            out.add(w.bits() + "-bit weights: it takes 2, 3, 4 and 8 bits");
        }
        if (!w.symmetric() && symmetricOnly) {
            out.add("asymmetric weights: it takes symmetric ones");
        }
        if (!w.symmetric() && !w.roundZeroPoint()) {
            out.add("real-valued zero points: it takes integers");
        }
        if (kind == Granularity.Kind.PER_HEAD || kind == Granularity.Kind.PER_BLOCK) {
            out.add("integers with scales " + kind + ": it takes them per group, channel or tensor");
        }
        if (kind == Granularity.Kind.PER_TENSOR && w.bits() != 8) {
            out.add(w.bits() + "-bit weights with one scale a tensor: it packs scales per group or channel");
        }
        if (layer.actOrder() && layer.activation().isPresent() && w.bits() == 8) {
            out.add("act-order groups with 8-bit activations: codes that are not packed have no order of columns");
        }
        if (layer.activation().isPresent()) {
            QuantScheme a = layer.activation().get();
            if (!a.isInteger() && !(a.format() instanceof NumberFormat.Float f && f.label().equals("e4m3") && w.bits() == 4)) {
                out.add("integer weights with " + a.format() + " activations: it takes 8-bit integers");
            } else if (a.isInteger() && a.bits() != 8) {
                out.add(a.bits() + "-bit activations: it takes 8 bits");
            }
            inputs(a, out);
        }
    }

    private void floats(PlannedLayer layer, QuantScheme w, NumberFormat.Float f, List<String> out) {
        boolean small = w.scaleFormat() != ScaleFormat.FLOAT;
        if (f.path() == NumberFormat.Float.Path.ADAPTIVE) {
            out.add("floats with a fitted exponent bias have no codes in it; use_qtorch: true gives the hardware's grid");
        }
        if (small ? !f.label().equals("e2m1") && !f.label().equals("e4m3") : !f.label().equals("e4m3")) {
            out.add(f.label() + " weights: it takes e4m3, and e2m1 in NVFP4 and MXFP4");
        }
        if (small && symmetricOnly) {
            out.add("NVFP4 and microscaled weights: this server's integer and FP8 kernels do not read them; vllm and compressed-tensors hold them");
        }
        if (small && layer.actOrder()) {
            out.add("act-order groups: NVFP4 and microscaled weights have no order of columns; static_groups: True gives none");
        }
        if (w.granularity().kind() == Granularity.Kind.PER_GROUP && !small) {
            out.add("FP8 weights per group: it takes them per channel, tensor or block");
        }
        if (layer.activation().isPresent()) {
            QuantScheme a = layer.activation().get();
            boolean sameKind = a.format() instanceof NumberFormat.Float g && (g.label().equals(f.label()) || small);
            if (!sameKind) {
                out.add(f.label() + " weights with " + a.format() + " activations: both must be the same float");
            }
            if (a.scaleFormat() == ScaleFormat.E4M3_TWO_LEVEL) {
                out.add("NVFP4 activations: servers want a calibrated second scale for inputs, and the run finds it for each input anew; mxfp4 and mxfp8 have none");
            } else if (a.granularity().kind() != Granularity.Kind.PER_GROUP) {
                inputs(a, out);
            }
        }
    }

    private static void inputs(QuantScheme a, List<String> out) {
        Granularity.Kind kind = a.granularity().kind();
        if (a.isStatic() ? kind != Granularity.Kind.PER_TENSOR : kind != Granularity.Kind.PER_TOKEN && kind != Granularity.Kind.PER_TENSOR
                && kind != Granularity.Kind.PER_CHANNEL) {
            out.add((a.isStatic() ? "static" : "dynamic") + " activations " + kind + ": it takes them per token or tensor, static ones per tensor");
        }
        if (!a.symmetric()) {
            out.add("asymmetric activations: it takes symmetric ones");
        }
    }

    @Override
    public List<String> problems(List<PlannedLayer> layers) {
        return server ? FusedParts.disagreements(layers, Set.of(Set.of(Role.Q, Role.K, Role.V), Set.of(Role.GATE, Role.UP))) : List.of();
    }

    /** vLLM loads e4m3 scales, one for keys and one for values of a layer. */
    @Override
    public String whyNoCache(KvCacheScheme cache, List<PlannedLayer> layers) {
        QuantScheme s = cache.scheme();
        boolean e4m3 = s.format() instanceof NumberFormat.Float f && f.label().equals("e4m3") && f.path() != NumberFormat.Float.Path.ADAPTIVE;
        if (!e4m3 && (server || s.bits() != 8 || !s.isInteger())) {
            return (server ? "servers take e4m3 keys and values" : "it takes e4m3 or 8-bit integer keys and values") + ", not " + s.format();
        }
        if (s.granularity().kind() != Granularity.Kind.PER_TENSOR) {
            return "it takes one scale for a layer's keys and one for its values, not " + s.granularity().kind();
        }
        if (server && layers.stream().anyMatch(l -> l.weight().isPresent() && ServerWriter.byFp8(l.weight().get(), l.activation()))) {
            return "FP8 with blocks or static activations goes to servers by the fp8 method, where scales of keys and values are not written";
        }
        return s.symmetric() ? "" : "it takes symmetric keys and values";
    }

    @Override
    public ModuleWriter writer(DType modelType) {
        return server ? new ServerWriter() : new CompressedTensorsWriter();
    }
}
