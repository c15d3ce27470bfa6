package io.llmc4j.tornado.device;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** AWQ's clip grid and GPTQ's walk over a block of columns. */
public final class SearchKernels {

    private SearchKernels() {
    }

    /**
     * For a row and a candidate: what clamping to a share of the row's range and rounding does to each weight, rounded - w.
     *
     * @param sizes       ticket, rows, columns, candidates, symmetric, qmin, qmax
     * @param shares      of the range, one a candidate
     * @param differences written, [candidate][row][column]
     */
    public static void clipDifferences(KernelContext context, IntArray sizes, FloatArray shares, FloatArray w, FloatArray differences, IntArray done) {
        int row = context.globalIdx;
        int candidate = context.globalIdy;
        int rows = sizes.get(1);
        int cols = sizes.get(2);
        if (row < rows && candidate < sizes.get(3)) {
            float qmin = (float) sizes.get(5);
            float qmax = (float) sizes.get(6);
            int from = row * cols;
            float low = w.get(from);
            float high = w.get(from);
            for (int i = 1; i < cols; i++) {
                float v = w.get(from + i);
                low = v < low ? v : low;
                high = v > high ? v : high;
            }
            float share = shares.get(candidate);
            if (sizes.get(4) == 1) {
                float a = low < 0f ? 0f - low : low;
                float b = high < 0f ? 0f - high : high;
                high = (b < a ? a : b) * share;
                low = 0f - high;
            } else {
                low = low * share;
                high = high * share;
            }
            // The range of the clamped row, from which its scale comes.
            float least = high;
            float most = low;
            for (int i = 0; i < cols; i++) {
                float v = w.get(from + i);
                float c = v < low ? low : v;
                c = c > high ? high : c;
                least = c < least ? c : least;
                most = c > most ? c : most;
            }
            float scale = 0f;
            float zero = 0f;
            if (sizes.get(4) == 1) {
                float a = least < 0f ? 0f - least : least;
                float b = most < 0f ? 0f - most : most;
                float widest = b < a ? a : b;
                scale = (widest < 1e-5f ? 1e-5f : widest) / qmax;
            } else {
                float width = most - least;
                scale = (width < 1e-5f ? 1e-5f : width) / (qmax - qmin);
                float z = qmin - Rounding.halfEven(least / scale);
                float upper = z > qmax ? qmax : z;
                zero = upper < qmin ? qmin : upper;
            }
            int to = (candidate * rows + row) * cols;
            for (int i = 0; i < cols; i++) {
                float v = w.get(from + i);
                float c = v < low ? low : v;
                c = c > high ? high : c;
                float q = Rounding.code(c, scale, zero, qmin, qmax);
                differences.set(to + i, (q - zero) * scale - v);
            }
        }
        if (row == 0 && candidate == 0) {
            done.set(0, sizes.get(0));
        }
    }

    /**
     * Mean squared error of a row's output with each candidate: (d H) · d / tokens for H = XᵀX of the group's inputs, d H as the definition's product, the
     * sum over sixteen lanes joined by the fixed tree.
     *
     * @param sizes  ticket, rows, columns (at most 384), candidates, tokens
     * @param errors written, [candidate][row]
     */
    public static void clipErrors(KernelContext context, IntArray sizes, FloatArray differences, FloatArray h, FloatArray errors, IntArray done) {
        int row = context.globalIdx;
        int candidate = context.globalIdy;
        int rows = sizes.get(1);
        int cols = sizes.get(2);
        if (row < rows && candidate < sizes.get(3)) {
            int from = (candidate * rows + row) * cols;
            float[] lanes = new float[16];
            for (int l = 0; l < 16; l++) {
                lanes[l] = 0f;
            }
            for (int j = 0; j < cols; j++) {
                float sum = 0f;
                for (int i = 0; i < cols; i++) {
                    sum = differences.get(from + i) * h.get(i * cols + j) + sum;
                }
                int l = j % 16;
                float lane = lanes[l];
                lanes[l] = sum * differences.get(from + j) + lane;
            }
            for (int half = 8; half > 0; half = half / 2) {
                for (int l = 0; l < half; l++) {
                    float a = lanes[l];
                    float b = lanes[l + half];
                    lanes[l] = a + b;
                }
            }
            errors.set(candidate * rows + row, lanes[0] / (float) sizes.get(4));
        }
        if (row == 0 && candidate == 0) {
            done.set(0, sizes.get(0));
        }
    }

    /**
     * GPTQ's walk over one block of columns for one row an item: each column takes the errors of those before it (two roundings each), is rounded, and leaves
     * its own error.
     *
     * @param sizes  ticket, rows, width, qmin, qmax
     * @param factor the block of the upper factor, transposed: row c has what the columns before c bring to c, and its own pivot
     * @param scales one a row; and {@code zeros} likewise
     * @param panel  in: the weights, [width][rows]; out: as they were when they were rounded
     * @param error  written, [width][rows]
     */
    public static void gptqColumns(KernelContext context, IntArray sizes, FloatArray factor, FloatArray scales, FloatArray zeros, FloatArray panel, FloatArray error,
                                   IntArray done) {
        int row = context.globalIdx;
        int rows = sizes.get(1);
        int width = sizes.get(2);
        if (row < rows) {
            float qmin = (float) sizes.get(3);
            float qmax = (float) sizes.get(4);
            float scale = scales.get(row);
            float zero = zeros.get(row);
            for (int c = 0; c < width; c++) {
                float v = panel.get(c * rows + row);
                for (int k = 0; k < c; k++) {
                    float product = factor.get(c * width + k) * error.get(k * rows + row);
                    v = v - product;
                }
                panel.set(c * rows + row, v);
                float q = Rounding.code(v, scale, zero, qmin, qmax);
                float rounded = (q - zero) * scale;
                error.set(c * rows + row, (v - rounded) / factor.get(c * width + c));
            }
        }
        if (row == 0) {
            done.set(0, sizes.get(0));
        }
    }
}
