package io.llmc4j.engine.quant;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;

/** Quantizer to a fixed grid: integers, and small floats with a scale. */
final class GridQuantizer implements Quantizer {

    private final QuantScheme scheme;
    private final Grid grid;

    GridQuantizer(QuantScheme scheme, Grid grid) {
        this.scheme = scheme;
        this.grid = grid;
    }

    @Override
    public QuantScheme scheme() {
        return scheme;
    }

    Grid grid() {
        return grid;
    }

    @Override
    public QuantParams params(Matrix x) {
        return RangeSearch.params(this, x);
    }

    @Override
    public QuantParams params(float[] lo, float[] hi, float tensorScale) {
        Extremes e = new Extremes(lo, hi);
        return switch (scheme.scaleFormat()) {
            case FLOAT -> grid instanceof IntegerGrid i && !scheme.symmetric()
                    ? ScaleRule.asymmetric(e, i.qmin(), i.qmax(), scheme.roundZeroPoint()) : ScaleRule.symmetric(e, grid.qmax());
            case E8M0 -> ScaleRule.powerOfTwo(e, grid.qmax(), false);
            case E8M0_ROUNDED -> ScaleRule.powerOfTwo(e, grid.qmax(), true);
            case E4M3_TWO_LEVEL -> ScaleRule.twoLevel(e, grid.qmax(), tensorScale);
        };
    }

    @Override
    public float tensorScale(float[] lo, float[] hi) {
        return scheme.scaleFormat() == ScaleFormat.E4M3_TWO_LEVEL ? ScaleRule.tensorScale(new Extremes(lo, hi), grid.qmax()) : 1f;
    }

    @Override
    public void fakeQuantizeRun(int n, float[] x, int xOff, float scale, float zero, float outScale, float[] out, int outOff) {
        grid.fakeQuantize(n, x, xOff, scale, zero, outScale, out, outOff);
    }

    @Override
    public void fakeQuantizeColumn(int n, float[] x, int xOff, float[] scales, float[] zeros, float[] out, int outOff) {
        grid.fakeQuantizeEach(n, x, xOff, scales, zeros, out, outOff);
    }

    @Override
    public QuantizedMatrix quantize(Matrix x, QuantParams p) {
        if (!whyNoCodes().isEmpty()) {
            throw new BadInput(BadInput.Common.NOT_SUPPORTED, whyNoCodes());
        }
        RangeLayout layout = fit(x, p);
        byte[] codes = new byte[x.data().length];
        Parallel.forRange(layout.segments(), layout.grain(), (from, to) -> {
            for (int s = from; s < to; s++) {
                int r = layout.range(s);
                int start = layout.start(s);
                refuseNotFinite(x, start, layout.length(s), p.scale(r), p.zero(r));
                grid.codes(layout.length(s), x.data(), start, p.scale(r), p.zero(r), codes, start);
            }
        });
        float[] scales = p.scales();
        if (p.outputFactor().length != 0) {
            scales = new float[p.ranges()];
            for (int r = 0; r < scales.length; r++) {
                scales[r] = p.scales()[r] * p.outputFactor()[r];
            }
        }
        return new QuantizedMatrix(scheme, x.rows(), x.cols(), codes, scales, p.zeros(), new int[0], p.tensorScale());
    }

    /** A code cannot say NaN or infinity, and must not make a number of it in silence. */
    private static void refuseNotFinite(Matrix x, int start, int n, float scale, float zero) {
        if (Float.isFinite(Kernels.get().absMax(n, x.data(), start)) && Float.isFinite(scale) && Float.isFinite(zero)) {
            return;
        }
        for (int i = start; i < start + n; i++) {
            if (!Float.isFinite(x.data()[i])) {
                throw BadInput.of(BadInput.Common.MODEL, "cannot quantize %s: element [%d, %d] is %s; weights must be finite", x, i / x.cols(), i % x.cols(),
                        x.data()[i]);
            }
        }
        throw BadInput.of(BadInput.Common.MODEL, "cannot quantize %s: the range at element [%d, %d] has scale %s and zero point %s; they must be finite", x,
                start / x.cols(), start % x.cols(), scale, zero);
    }

    @Override
    public String whyNoCodes() {
        return scheme.bits() <= 8 ? "" : "codes of " + scheme.bits() + " bits cannot be stored; real codes have 8 bits or fewer";
    }
}
