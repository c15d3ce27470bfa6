package io.llmc4j.engine.method.training;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.autodiff.QuantizeOps;
import io.llmc4j.engine.autodiff.Tape;
import io.llmc4j.engine.autodiff.Var;
import io.llmc4j.engine.quant.ActivationRounding;
import io.llmc4j.engine.quant.ActivationRoundings;
import io.llmc4j.engine.quant.ClipFactors;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantParams;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.RangeLayout;
import io.llmc4j.engine.tensor.Matrix;

/** Quantizers of weights and activations as operations on a tape. */
public final class TapedQuantizers {

    /** No clip logits. */
    public static final Var NONE = Var.input(new Matrix(0, 1));

    private TapedQuantizers() {
    }

    /** Says why a weight's scheme has no gradient here; empty when it has one. */
    public static String refusal(QuantScheme scheme) {
        if (!scheme.isInteger() && !scaledGrid(scheme)) {
            return "methods that learn ranges need integers or floats on a fixed grid (e4m3, mxfp4, nvfp4, ...), not " + scheme.format();
        }
        if (scheme.granularity().kind() == Granularity.Kind.PER_BLOCK) {
            return "methods that learn ranges need them along rows (per_channel, per_group, per_tensor), not per_block";
        }
        return "";
    }

    private static boolean scaledGrid(QuantScheme scheme) {
        return scheme.format() instanceof NumberFormat.Float f && f.path() != NumberFormat.Float.Path.ADAPTIVE;
    }

    private static QuantizeOps.Grid grid(QuantScheme scheme) {
        NumberFormat.Int f = (NumberFormat.Int) scheme.format();
        return new QuantizeOps.Grid(f.qmin(), f.qmax(), scheme.symmetric(), scheme.roundZeroPoint(), scheme.straightThrough());
    }

    /** A fake-quantized weight [out, in] with clip logits by range, or {@link #NONE}. */
    public static Var weight(Tape tape, QuantScheme scheme, Var w, Var upper, Var lower) {
        String why = refusal(scheme);
        if (!why.isEmpty()) {
            throw new BadInput(BadInput.Common.NOT_SUPPORTED, why);
        }
        int length = RangeLayout.of(scheme.granularity(), w.rows(), w.cols()).rangeLength();
        if (scheme.isInteger()) {
            return QuantizeOps.fakeQuantize(tape, w, length, grid(scheme), upper, lower);
        }
        Quantizer quantizer = Quantizer.of(scheme);
        QuantParams p = new ClipFactors(upper.value().data(), lower.value().data()).params(quantizer, w.value());
        float[] scales = new float[p.ranges()];
        for (int r = 0; r < scales.length; r++) {
            scales[r] = p.scale(r);
        }
        float largest = ((NumberFormat.Float) scheme.format()).qmax();
        return QuantizeOps.scaledGrid(tape, w, quantizer.fakeQuantize(w.value(), p), length, scales, largest, scheme.straightThrough(), upper);
    }

    /** A dynamically fake-quantized activation [batch * tokens, features]; per tensor means a sample by itself. */
    public static Var activation(Tape tape, QuantScheme scheme, Var x, int batch, int tokens) {
        if (scheme.identityGradient() || !scheme.isInteger()) {
            ActivationRounding rounding = ActivationRoundings.dynamic(Quantizer.of(scheme));
            return QuantizeOps.straightThrough(tape, x, rounding.fakeQuantize(x.value(), batch, tokens));
        }
        RangeLayout layout = RangeLayout.of(scheme.granularity(), x.rows(), x.cols());
        int length = scheme.granularity().kind() == Granularity.Kind.PER_TENSOR ? tokens * x.cols() : layout.rangeLength();
        return QuantizeOps.fakeQuantize(tape, x, length, grid(scheme), NONE, NONE);
    }
}
