package io.llmc4j.engine.quant;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.tensor.Matrix;

/**
 * 4-bit codes over 8-bit codes, {@code bit: 48} (spec 1.14): the weight becomes 8-bit codes, those become 4-bit codes of a second level.
 * The second level's scales are clamped to their limits and not rounded (ODD-12). Weights only, fake quantization only.
 */
final class Int4OverInt8Quantizer implements Quantizer {

    private final QuantScheme scheme;
    private final NumberFormat.Int4OverInt8 format;
    private final GridQuantizer eight;
    private final GridQuantizer four;

    Int4OverInt8Quantizer(QuantScheme scheme, NumberFormat.Int4OverInt8 format) {
        this.scheme = scheme;
        this.format = format;
        this.eight = level(format.eight());
        this.four = level(format.four());
    }

    private static GridQuantizer level(QuantScheme s) {
        if (!(s.format() instanceof NumberFormat.Int f)) {
            throw new BadInput(BadInput.Common.CONFIG, "bit 48 needs two integer levels, not " + s.format());
        }
        return new GridQuantizer(s, new IntegerGrid(f, true));
    }

    @Override
    public QuantScheme scheme() {
        return scheme;
    }

    @Override
    public Matrix fakeQuantize(Matrix w) {
        QuantParams p8 = eight.params(w);
        // Codes of the first level as numbers, with their zero point: what the second level quantizes.
        Matrix q8 = new Matrix(w.rows(), w.cols());
        RangeLayout l8 = eight.layout(w.rows(), w.cols());
        IntegerGrid grid = (IntegerGrid) eight.grid();
        for (int s = 0; s < l8.segments(); s++) {
            int r = l8.range(s);
            for (int i = l8.start(s); i < l8.start(s) + l8.length(s); i++) {
                q8.data()[i] = grid.code(w.data()[i], p8.scale(r), p8.zero(r));
            }
        }
        Matrix out = four.fakeQuantize(q8, secondLevel(q8));
        for (int s = 0; s < l8.segments(); s++) {
            int r = l8.range(s);
            for (int i = l8.start(s); i < l8.start(s) + l8.length(s); i++) {
                out.data()[i] = (out.data()[i] - p8.zero(r)) * p8.scale(r);
            }
        }
        return out;
    }

    @Override
    public void fakeQuantizeInto(Matrix x, Matrix out) {
        System.arraycopy(fakeQuantize(x).data(), 0, out.data(), 0, x.data().length);
    }

    private QuantParams secondLevel(Matrix q8) {
        Extremes e = Extremes.minMax(q8, four.layout(q8.rows(), q8.cols()));
        QuantParams p = four.scheme().symmetric() ? ScaleRule.symmetric(e, four.grid().qmax()) : unclamped(e);
        NumberFormat.SecondLevel limits = format.limits();
        for (int r = 0; r < p.ranges(); r++) {
            p.scales()[r] = Math.min(Math.max(p.scales()[r], limits.scaleMin()), limits.scaleMax());
            if (p.zeros().length != 0) {
                p.zeros()[r] = Math.min(Math.max(p.zeros()[r], limits.zeroMin()), limits.zeroMax());
            }
        }
        return p;
    }

    /** As 1.4 but the zero point meets the limits of the second level only. */
    private QuantParams unclamped(Extremes e) {
        float qmin = four.grid().qmin();
        float[] s = new float[e.lo().length];
        float[] z = new float[s.length];
        for (int r = 0; r < s.length; r++) {
            s[r] = ScaleRule.asymmetricScale(e.lo()[r], e.hi()[r], qmin, four.grid().qmax());
            z[r] = qmin - (float) Math.rint(e.lo()[r] / s[r]);
        }
        return new QuantParams(s, z);
    }

    @Override
    public QuantParams params(Matrix x) {
        throw twoLevels();
    }

    @Override
    public QuantParams params(float[] lo, float[] hi, float tensorScale) {
        throw twoLevels();
    }

    @Override
    public Matrix fakeQuantize(Matrix x, QuantParams p) {
        throw twoLevels();
    }

    @Override
    public void fakeQuantizeRun(int n, float[] x, int xOff, float scale, float zero, float outScale, float[] out, int outOff) {
        throw twoLevels();
    }

    @Override
    public void fakeQuantizeColumn(int n, float[] x, int xOff, float[] scales, float[] zeros, float[] out, int outOff) {
        throw twoLevels();
    }

    @Override
    public QuantizedMatrix quantize(Matrix x, QuantParams p) {
        throw twoLevels();
    }

    @Override
    public QuantizedMatrix quantize(Matrix x) {
        throw twoLevels();
    }

    @Override
    public String whyNoCodes() {
        return "bit 48 quantizes codes of codes; it has no parameters or codes of one level and can only be fake-quantized as a whole weight";
    }

    private BadInput twoLevels() {
        return new BadInput(BadInput.Common.NOT_SUPPORTED, whyNoCodes());
    }
}
