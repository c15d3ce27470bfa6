package io.llmc4j.tornado.device;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * A sum of XᵀX over batches in one launch: each item keeps its element of H while the batches pass, shrinks it before each and adds the batch's block sums in
 * order. Down to the diagonal, mirrored.
 *
 * <p>Sizes: ticket, n, rows of a batch, batches; X is [batches * rows, n], {@code shrink} has a factor a batch.
 */
public final class GramKernels {

    private GramKernels() {
    }

    /** One element of H an item; x is the column. */
    public static void plainGram(KernelContext context, IntArray sizes, FloatArray shrink, FloatArray x, FloatArray h, IntArray done) {
        int col = context.globalIdx;
        int row = context.globalIdy;
        int n = sizes.get(1);
        int rows = sizes.get(2);
        int batches = sizes.get(3);
        int end = row < n ? row + 1 : 0;
        if (col < end) {
            float total = h.get(row * n + col);
            for (int batch = 0; batch < batches; batch++) {
                int first = batch * rows;
                int last = first + rows;
                float factor = shrink.get(batch);
                // In a loop of its own, so that no compiler sees a product with an addend here.
                for (int from = first; from < last; from += 384) {
                    int to = from + 384 < last ? from + 384 : last;
                    float sum = 0f;
                    for (int p = from; p < to; p++) {
                        sum = x.get(p * n + row) * x.get(p * n + col) + sum;
                    }
                    float before = from == first ? total * factor : total;
                    total = before + sum;
                }
            }
            h.set(row * n + col, total);
            if (col < row) {
                h.set(col * n + row, total);
            }
        }
        if (row == 0 && col == 0) {
            done.set(0, sizes.get(0));
        }
    }

    /** The same in groups of 16 x 16 that share tiles of X in local memory. */
    public static void tiledGram(KernelContext context, IntArray sizes, FloatArray shrink, FloatArray x, FloatArray h, IntArray done) {
        float[] left = context.allocateFloatLocalArray(256);
        float[] right = context.allocateFloatLocalArray(256);
        int lx = context.localIdx;
        int ly = context.localIdy;
        int groupX = context.groupIdx;
        int groupY = context.groupIdy;
        int col = groupX * 16 + lx;
        int row = groupY * 16 + ly;
        // Rows of H are read along x too, so that neighbours read neighbours.
        int leftCol = groupY * 16 + lx;
        int n = sizes.get(1);
        int rows = sizes.get(2);
        int batches = groupX > groupY ? 0 : sizes.get(3);
        int end = row < n ? row + 1 : 0;
        float total = 0f;
        if (col < end) {
            total = h.get(row * n + col);
        }
        for (int batch = 0; batch < batches; batch++) {
            int first = batch * rows;
            int last = first + rows;
            float factor = shrink.get(batch);
            for (int from = first; from < last; from += 384) {
                int to = from + 384 < last ? from + 384 : last;
                float sum = 0f;
                for (int t = from; t < to; t += 16) {
                    float a = 0f;
                    float b = 0f;
                    if (t + ly < to) {
                        if (leftCol < n) {
                            a = x.get((t + ly) * n + leftCol);
                        }
                        if (col < n) {
                            b = x.get((t + ly) * n + col);
                        }
                    }
                    left[ly * 16 + lx] = a;
                    right[ly * 16 + lx] = b;
                    context.localBarrier();
                    int count = to - t < 16 ? to - t : 16;
                    for (int p = 0; p < count; p++) {
                        sum = left[p * 16 + ly] * right[p * 16 + lx] + sum;
                    }
                    context.localBarrier();
                }
                float before = from == first ? total * factor : total;
                total = before + sum;
            }
        }
        if (col < end) {
            h.set(row * n + col, total);
            if (col < row) {
                h.set(col * n + row, total);
            }
        }
        if (row == 0 && col == 0) {
            done.set(0, sizes.get(0));
        }
    }
}
