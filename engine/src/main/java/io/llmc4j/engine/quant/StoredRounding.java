package io.llmc4j.engine.quant;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.StoredFloats;
import io.llmc4j.engine.quant.packing.DenseBits;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
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
    /** Elements of a piece, about. */
    private static final int PIECE = 1 << 11;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

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
        QuantParams params = new QuantParams(scales, zeros);
        if (t.dtype() == DType.BF16 && scheme.bits() == 4 && length % 8 == 0) {
            int each = Math.max(1, PIECE / length);
            spread(t, layout.ranges(), Math.max(each, (1 << 20) / length), (from, to) -> {
                Piece p = new Piece(Math.min(each, to - from), length);
                for (int r = from; r < to; r += each) {
                    p.round(Math.min(each, to - r), t, quantizer, params, r, cols, words);
                }
            });
            return new StoredRounding(words, params);
        }
        int panel = Math.max(1, PANEL / cols);
        spread(t, rows, Math.max(panel, (1 << 20) / cols), (from, to) -> {
            Panel p = new Panel(Math.min(panel, to - from), cols, groups);
            for (int r = from; r < to; r += panel) {
                int n = Math.min(panel, to - r);
                Tensors.toFloats(t, (long) r * cols, p.values, 0, n * cols);
                p.round(n, cols, length, quantizer, params, r * groups, r);
                DenseBits.packRows(n, cols, scheme.bits(), p.codes, words, r * perRow);
            }
        });
        return new StoredRounding(words, params);
    }

    private static void spread(Tensor t, int n, int grain, Parallel.Range work) {
        if (Parallel.reaches(t.bytes())) {
            Parallel.forRange(n, grain, work);
        } else {
            work.run(0, n);
        }
    }

    /** Scales and zero points of some ranges, from {@code first} on in {@code to}. */
    private static QuantParams fit(GridQuantizer quantizer, int ranges, float[] lo, float[] hi, QuantParams to, int first, Runnable refuse) {
        Kernels kernels = Kernels.get();
        QuantParams p = quantizer.params(ranges == lo.length ? lo : Arrays.copyOf(lo, ranges), ranges == hi.length ? hi : Arrays.copyOf(hi, ranges), 1f);
        if (!Float.isFinite(kernels.absMax(ranges, lo, 0)) || !Float.isFinite(kernels.absMax(ranges, hi, 0)) || !Float.isFinite(kernels.absMax(ranges, p.scales(), 0))) {
            refuse.run();
        }
        System.arraycopy(p.scales(), 0, to.scales(), first, ranges);
        if (to.zeros().length > 0) {
            System.arraycopy(p.zeros(), 0, to.zeros(), first, ranges);
        }
        return p;
    }

    /** Packing is of unsigned codes: a symmetric grid is moved up by its lowest code. */
    private static float up(GridQuantizer quantizer) {
        return Math.max(0f, -quantizer.grid().qmin());
    }

    private static void refuse(float[] values, int n, int cols, long first) {
        for (int i = 0; i < n; i++) {
            if (!Float.isFinite(values[i])) {
                throw BadInput.of(BadInput.Common.MODEL, "cannot quantize: element [%d, %d] is %s; weights must be finite", (first + i) / cols, (first + i) % cols, values[i]);
            }
        }
        throw BadInput.of(BadInput.Common.MODEL, "cannot quantize: the weights from element [%d, %d] on lie so far apart that their scale is not finite", first / cols, first % cols);
    }

    /** A thread's piece of work where bf16 becomes four bits without ever being float32: so small that what was read is still in the first-level cache. */
    private static final class Piece {
        private final int length;
        private final int[] pairs;
        private final byte[] packed;
        private final float[] lo;
        private final float[] hi;

        Piece(int ranges, int length) {
            this.length = length;
            pairs = new int[ranges * length / 2];
            packed = new byte[ranges * length / 2];
            lo = new float[ranges];
            hi = new float[ranges];
        }

        void round(int ranges, Tensor t, GridQuantizer quantizer, QuantParams to, int first, int cols, int[] words) {
            long at = (long) first * length;
            int n = ranges * length;
            MemorySegment.copy(t.bytes(), INT, 2 * at, pairs, 0, n / 2);
            StoredFloats kernels = StoredFloats.get();
            kernels.bf16Extremes(n, length, pairs, 0, lo, hi, 0);
            QuantParams p = fit(quantizer, ranges, lo, hi, to, first, () -> {
                float[] values = new float[n];
                Tensors.toFloats(t, at, values, 0, n);
                refuse(values, n, cols, at);
            });
            float up = up(quantizer);
            float low = quantizer.grid().qmin() + up;
            float high = ((IntegerGrid) quantizer.grid()).qmax() + up;
            for (int g = 0; g < ranges; g++) {
                kernels.bf16Nibbles(length, pairs, g * length / 2, p.scale(g), p.zero(g) + up, low, high, packed, g * length / 2);
            }
            MemorySegment.copy(MemorySegment.ofArray(packed), INT, 0, words, (int) (at / 8), n / 8);
        }
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

        void round(int rows, int cols, int length, GridQuantizer quantizer, QuantParams to, int firstRange, int firstRow) {
            int ranges = rows * cols / length;
            StoredFloats kernels = StoredFloats.get();
            kernels.groupExtremes(rows * cols, length, values, 0, lo, hi, 0);
            QuantParams p = fit(quantizer, ranges, lo, hi, to, firstRange, () -> refuse(values, rows * cols, cols, (long) firstRow * cols));
            float up = up(quantizer);
            float low = quantizer.grid().qmin() + up;
            float high = ((IntegerGrid) quantizer.grid()).qmax() + up;
            for (int g = 0; g < ranges; g++) {
                kernels.integerCodes(length, values, g * length, p.scale(g), p.zero(g) + up, low, high, codes, g * length);
            }
        }
    }
}
