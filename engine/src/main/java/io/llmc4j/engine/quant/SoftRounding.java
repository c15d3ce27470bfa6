package io.llmc4j.engine.quant;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.tensor.Matrix;

/**
 * Rounding down plus a learnt part V between 0 and 1 (AdaRound, TesseraQ; spec 1.5): q = clamp(floor(w / s) + V + z), w' = (q - z) * s * F.
 */
public final class SoftRounding {

    private SoftRounding() {
    }

    /**
     * @param weight [out, in], left alone
     * @param v      [out, in]
     */
    public static Matrix fakeQuantize(QuantScheme scheme, Matrix weight, QuantParams p, Matrix v) {
        if (!(scheme.format() instanceof NumberFormat.Int f)) {
            throw new BadInput(BadInput.Common.NOT_SUPPORTED, "learnt rounding needs integer codes, not " + scheme.format());
        }
        RangeLayout layout = Quantizer.of(scheme).fit(weight, p);
        Matrix out = new Matrix(weight.rows(), weight.cols());
        boolean rounded = scheme.roundZeroPoint();
        for (int s = 0; s < layout.segments(); s++) {
            int r = layout.range(s);
            float scale = rounded ? p.scale(r) : Math.max(p.scale(r), IntegerGrid.SMALLEST_SCALE);
            float zero = p.zero(r);
            float outScale = p.outputScale(r);
            for (int i = layout.start(s); i < layout.start(s) + layout.length(s); i++) {
                float t = weight.data()[i] / scale;
                float q = rounded ? (float) Math.floor(t) + v.data()[i] + zero : (float) Math.floor(t + zero) + v.data()[i];
                out.data()[i] = (Math.min(Math.max(q, f.qmin()), f.qmax()) - zero) * outScale;
            }
        }
        return out;
    }
}
