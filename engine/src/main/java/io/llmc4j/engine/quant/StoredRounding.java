package io.llmc4j.engine.quant;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.StoredFloats;
import io.llmc4j.engine.quant.packing.DenseBits;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.util.Arrays;

/**
 * Round to nearest straight from a stored weight to packed codes, some rows at a time: what is decoded stays in the cache until it is packed, so the
 * weight passes through memory once and no float32 copy of it is ever whole. The numbers are those of {@link Quantizer#quantize(io.llmc4j.engine.tensor.Matrix)}.
 *
 * @param words       {@link DenseBits#packRows} of the unsigned codes
 * @param params      of every range
 */
public record StoredRounding(int[] words, QuantParams params) {

    /** Elements of a panel: with its floats and codes it fits the second-level cache. */
    private static final int PANEL = 1 << 14;

    /** Whether a scheme is one that this can do: integers of up to 8 bits, ranges that are runs of a row, minimum and maximum. */
    public static boolean takes(QuantScheme scheme) {
        return scheme.format() instanceof NumberFormat.Int && scheme.bits() <= 8 && scheme.range() instanceof RangeRule.MinMax && scheme.roundZeroPoint()
                && switch (scheme.granularity().kind()) {
                    case PER_GROUP, PER_CHANNEL -> true;
                    default -> false;
                };
    }

    /**
     * @param t [rows, cols], floats of any type; its arena must be shared or global to use more threads than one
     * @throws io.llmc4j.engine.BadInput where a weight is not finite
     */
    public static StoredRounding of(Tensor t, QuantScheme scheme) {
        if (!takes(scheme)) {
            throw new IllegalArgumentException("not rounded from storage: " + scheme);
        }
        int rows = Math.toIntExact(t.shape().dim(0));
        int cols = Math.toIntExact(t.shape().dim(1));
        GridQuantizer quantizer = (GridQuantizer) Quantizer.of(scheme);
        RangeLayout layout = quantizer.layout(rows, cols);
        int length = layout.rangeLength();
        int groups = cols / length;
        float[] scales = new float[layout.ranges()];
        float[] zeros = new float[scheme.symmetric() ? 0 : layout.ranges()];
        int perRow = DenseBits.words(cols, scheme.bits());
        int[] words = new int[Math.multiplyExact(rows, perRow)];
        int panel = Math.max(1, PANEL / cols);
        Parallel.Range some = (from, to) -> {
            Panel p = new Panel(Math.min(panel, to - from), cols, groups);
            for (int r = from; r < to; r += panel) {
                int n = Math.min(panel, to - r);
                Tensors.toFloats(t, (long) r * cols, p.values, 0, n * cols);
                p.round(n, cols, length, quantizer, scales, zeros, r * groups, r);
                DenseBits.packRows(n, cols, scheme.bits(), p.codes, words, r * perRow);
            }
        };
        if (Parallel.reaches(t.bytes())) {
            Parallel.forRange(rows, Math.max(panel, (1 << 20) / cols), some);
        } else {
            some.run(0, rows);
        }
        return new StoredRounding(words, new QuantParams(scales, zeros));
    }

    /** A thread's piece of work, in the cache. */
    private static final class Panel {
        private final float[] values;
        private final byte[] codes;
        private final float[] lo;
        private final float[] hi;

        Panel(int rows, int cols, int groups) {
            values = new float[rows * cols];
            codes = new byte[rows * cols];
            lo = new float[rows * groups];
            hi = new float[rows * groups];
        }

        void round(int rows, int cols, int length, GridQuantizer quantizer, float[] scales, float[] zeros, int firstRange, int firstRow) {
            int ranges = rows * cols / length;
            StoredFloats kernels = StoredFloats.get();
            kernels.groupExtremes(rows * cols, length, values, 0, lo, hi, 0);
            if (!Float.isFinite(Kernels.get().absMax(ranges, lo, 0)) || !Float.isFinite(Kernels.get().absMax(ranges, hi, 0))) {
                refuse(rows * cols, cols, firstRow);
            }
            QuantParams p = quantizer.params(ranges == lo.length ? lo : Arrays.copyOf(lo, ranges), ranges == hi.length ? hi : Arrays.copyOf(hi, ranges), 1f);
            System.arraycopy(p.scales(), 0, scales, firstRange, ranges);
            if (zeros.length > 0) {
                System.arraycopy(p.zeros(), 0, zeros, firstRange, ranges);
            }
            // Packing is of unsigned codes: a symmetric grid is moved up by its lowest code.
            float up = Math.max(0f, -quantizer.grid().qmin());
            float low = quantizer.grid().qmin() + up;
            float high = ((IntegerGrid) quantizer.grid()).qmax() + up;
            for (int g = 0; g < ranges; g++) {
                kernels.integerCodes(length, values, g * length, p.scale(g), p.zero(g) + up, low, high, codes, g * length);
            }
        }

        private void refuse(int n, int cols, int firstRow) {
            for (int i = 0; i < n; i++) {
                if (!Float.isFinite(values[i])) {
                    throw BadInput.of(BadInput.Common.MODEL, "cannot quantize: element [%d, %d] is %s; weights must be finite",
                            firstRow + i / cols, i % cols, values[i]);
                }
            }
        }
    }
}
