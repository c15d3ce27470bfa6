package io.llmc4j.engine.quant;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.StoredFloats;

/**
 * Integers from qmin to qmax (spec 1.5).
 *
 * <p>With a rounded zero point q = clamp(rne(x / s) + z), else q = clamp(rne(x / max(s, 1e-9) + z)); x' = (q - z) * s'. All steps in
 * float32, none fused.
 */
record IntegerGrid(float qmin, float qmax, boolean roundZeroPoint) implements Grid {

    static final float SMALLEST_SCALE = 1e-9f;
    private static final float LARGE_ZERO = 1 << 20;

    IntegerGrid(NumberFormat.Int f, boolean roundZeroPoint) {
        this(f.qmin(), f.qmax(), roundZeroPoint);
    }

    @Override
    public void fakeQuantize(int n, float[] x, int xOff, float scale, float zero, float outScale, float[] out, int outOff) {
        float lo = qmin;
        float hi = qmax;
        if (roundZeroPoint && outScale == scale) {
            Kernels.get().fakeQuantize(n, x, xOff, scale, zero, lo, hi, out, outOff);
        } else if (roundZeroPoint) {
            for (int i = 0; i < n; i++) {
                float q = (float) Math.rint(x[xOff + i] / scale) + zero;
                out[outOff + i] = (Math.min(Math.max(q, lo), hi) - zero) * outScale;
            }
        } else {
            float s = Math.max(scale, SMALLEST_SCALE);
            for (int i = 0; i < n; i++) {
                float q = (float) Math.rint(x[xOff + i] / s + zero);
                out[outOff + i] = (Math.min(Math.max(q, lo), hi) - zero) * outScale;
            }
        }
    }

    @Override
    public void fakeQuantizeEach(int n, float[] x, int xOff, float[] scales, float[] zeros, float[] out, int outOff) {
        boolean symmetric = zeros.length == 0;
        for (int i = 0; i < n; i++) {
            float zero = symmetric ? 0f : zeros[i];
            float q = code(x[xOff + i], scales[i], zero);
            out[outOff + i] = (q - zero) * scales[i];
        }
    }

    @Override
    public void codes(int n, float[] x, int xOff, float scale, float zero, byte[] out, int outOff) {
        if (roundZeroPoint && Math.abs(zero) < LARGE_ZERO && zero == (int) zero) {
            StoredFloats.get().integerCodes(n, x, xOff, scale, zero, qmin, qmax, out, outOff);
            return;
        }
        for (int i = 0; i < n; i++) {
            out[outOff + i] = (byte) (int) code(x[xOff + i], scale, zero);
        }
    }

    /** One code, as a float holding an integer. */
    float code(float x, float scale, float zero) {
        float q = roundZeroPoint ? (float) Math.rint(x / scale) + zero : (float) Math.rint(x / Math.max(scale, SMALLEST_SCALE) + zero);
        return Math.min(Math.max(q, qmin), qmax);
    }

    @Override
    public float[] values() {
        float[] v = new float[256];
        for (int i = 0; i < 256; i++) {
            v[i] = qmin < 0 ? (byte) i : i;
        }
        return v;
    }
}
