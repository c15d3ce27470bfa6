package io.llmc4j.tornado.device;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** Quantizing and dequantizing groups of neighbours, one group an item. */
public final class QuantizeKernels {

    private QuantizeKernels() {
    }

    /**
     * A group's ends, scale and zero point, and its values on the integer grid.
     *
     * @param sizes ticket, groups, group size, symmetric, qmin, qmax
     * @param scales one a group, written; and {@code zeros} likewise
     */
    public static void fakeQuantizeGroups(KernelContext context, IntArray sizes, FloatArray x, FloatArray scales, FloatArray zeros, FloatArray out, IntArray done) {
        int g = context.globalIdx;
        if (g < sizes.get(1)) {
            int length = sizes.get(2);
            float qmin = (float) sizes.get(4);
            float qmax = (float) sizes.get(5);
            int from = g * length;
            float low = x.get(from);
            float high = x.get(from);
            for (int i = 1; i < length; i++) {
                float v = x.get(from + i);
                low = v < low || v != v ? v : low;
                high = v > high || v != v ? v : high;
            }
            float scale = 0f;
            float zero = 0f;
            if (sizes.get(3) == 1) {
                float a = low < 0f ? 0f - low : low;
                float b = high < 0f ? 0f - high : high;
                float most = b < a ? a : b;
                scale = (most < 1e-5f ? 1e-5f : most) / qmax;
            } else {
                float width = high - low;
                scale = (width < 1e-5f ? 1e-5f : width) / (qmax - qmin);
                float z = qmin - Rounding.halfEven(low / scale);
                float upper = z > qmax ? qmax : z;
                zero = upper < qmin ? qmin : upper;
            }
            scales.set(g, scale);
            zeros.set(g, zero);
            for (int i = 0; i < length; i++) {
                float q = Rounding.code(x.get(from + i), scale, zero, qmin, qmax);
                out.set(from + i, (q - zero) * scale);
            }
        }
        if (g == 0) {
            done.set(0, sizes.get(0));
        }
    }

    /**
     * The same on the grid of a small float (e4m3, e2m1), symmetric.
     *
     * @param sizes ticket, groups, group size
     * @param grid  qmax, smallest normal value, largest value, adder of {@link Rounding#onGrid}
     */
    public static void fakeQuantizeSmallFloats(KernelContext context, IntArray sizes, FloatArray grid, FloatArray x, FloatArray scales, FloatArray out, IntArray done) {
        int g = context.globalIdx;
        if (g < sizes.get(1)) {
            int length = sizes.get(2);
            float qmax = grid.get(0);
            float smallest = grid.get(1);
            float largest = grid.get(2);
            float adder = grid.get(3);
            int from = g * length;
            float most = 0f;
            for (int i = 0; i < length; i++) {
                float v = x.get(from + i);
                float a = v < 0f ? 0f - v : v;
                most = a > most || a != a ? a : most;
            }
            float scale = (most < 1e-5f ? 1e-5f : most) / qmax;
            scales.set(g, scale);
            for (int i = 0; i < length; i++) {
                out.set(from + i, Rounding.onGrid(x.get(from + i) / scale, smallest, largest, adder) * scale);
            }
        }
        if (g == 0) {
            done.set(0, sizes.get(0));
        }
    }
}
