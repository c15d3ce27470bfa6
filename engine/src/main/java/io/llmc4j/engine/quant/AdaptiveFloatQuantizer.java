package io.llmc4j.engine.quant;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;

/**
 * Small floats with a real-valued exponent bias, chosen so that the largest code is the range's largest magnitude M (spec 1.11).
 * Each element has its own step 2^(k - m - bias), so there are no codes to store. A range's "scale" is M itself.
 *
 * <p>Steps and their exponents are those of correctly rounded float32 log2 and exp2. The exponent k is taken from the bits of
 * x * 2^bias, and from the float32 formula only where the two could differ.
 */
final class AdaptiveFloatQuantizer implements Quantizer {

    /** Distance from a power of two, about 1e-4 of it in units of a double's last bit, within which float32 rounding could move the exponent. */
    private static final long NEAR = 1L << 39;

    private final QuantScheme scheme;
    private final int e;
    private final int m;
    /** What becomes of a range that is all zero: 0, or LLMC's NaN (ODD-07). */
    private final float emptyRange;

    AdaptiveFloatQuantizer(QuantScheme scheme, NumberFormat.Float f, boolean llmcCompatible) {
        this.scheme = scheme;
        this.e = f.exponent();
        this.m = f.mantissa();
        this.emptyRange = llmcCompatible ? Float.NaN : 0f;
    }

    @Override
    public QuantScheme scheme() {
        return scheme;
    }

    @Override
    public QuantParams params(Matrix x) {
        return RangeSearch.params(this, x);
    }

    @Override
    public QuantParams params(float[] lo, float[] hi, float tensorScale) {
        float[] largest = new float[lo.length];
        for (int r = 0; r < lo.length; r++) {
            largest[r] = Math.max(hi[r], -lo[r]);
        }
        return new QuantParams(largest);
    }

    @Override
    public void fakeQuantizeRun(int n, float[] x, int xOff, float largest, float zero, float outScale, float[] out, int outOff) {
        float bias = bias(largest);
        if (!Float.isFinite(bias)) {
            Arrays.fill(out, outOff, outOff + n, largest == 0f ? emptyRange : Float.NaN);
            return;
        }
        double power = StrictMath.pow(2, bias);
        float[] steps = new float[(1 << e) + 2];
        for (int i = 0; i < n; i++) {
            float c = Math.min(Math.max(x[xOff + i], -largest), largest);
            int k = exponent(Math.abs(c), bias, power);
            float step = steps[k];
            if (step == 0f) {
                step = step(k, bias);
                steps[k] = step;
            }
            out[outOff + i] = (float) Math.rint(c / step) * step;
        }
    }

    /** 2^e - log2(M) + log2(2 - 2^-m) - 1, each step rounded to float32. */
    private float bias(float largest) {
        return (1 << e) - Powers.log2f(largest) + Powers.log2f(2f - Math.scalb(1f, -m)) - 1f;
    }

    /** max(floor(log2 |c| + bias), 1); 1 also for NaN, which stays NaN by itself. */
    private int exponent(float a, float bias, double power) {
        long bits = Double.doubleToRawLongBits(a * power);
        int k = (int) (bits >>> 52) - 1023;
        long fraction = bits & (1L << 52) - 1;
        if (fraction < NEAR || fraction > (1L << 52) - NEAR) {
            k = a == 0f || a != a ? 1 : (int) Math.floor(Powers.log2f(a) + bias);
        }
        return Math.min(Math.max(k, 1), (1 << e) + 1);
    }

    private float step(int k, float bias) {
        float s = Powers.exp2f(k - m - bias);
        return s == 0f ? 1f : s;
    }

    @Override
    public void fakeQuantizeColumn(int n, float[] x, int xOff, float[] scales, float[] zeros, float[] out, int outOff) {
        for (int i = 0; i < n; i++) {
            fakeQuantizeRun(1, x, xOff + i, scales[i], 0f, 1f, out, outOff + i);
        }
    }

    @Override
    public QuantizedMatrix quantize(Matrix x, QuantParams p) {
        throw new BadInput(BadInput.Common.NOT_SUPPORTED, whyNoCodes());
    }

    @Override
    public String whyNoCodes() {
        return "a float format with adaptive bias has a step of its own for each element and no codes; use the emulated path (use_qtorch: true) or a "
                + "microscaling format";
    }
}
