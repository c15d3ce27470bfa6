package io.llmc4j.tornado.device;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * C[m, n] = A · B or C += A · B in the order of the definition: k in order with fused multiply-adds in blocks of 384, block sums added in order. Strides
 * make every transposition, and a triangle makes XᵀX: rows down to the diagonal, mirrored.
 *
 * <p>Sizes: ticket, m, n, k, A's steps by row and by k, B's steps by k and by column, accumulate, triangle.
 */
public final class ProductKernels {

    /** {@link io.llmc4j.engine.kernel.Kernels#K_BLOCK}; a constant here so that kernels hold no reference to the engine. */
    static final int K_BLOCK = 384;

    static final int TILE = 16;
    static final int BLOCK = 64;
    /** Bytes of local memory of a group. */
    static final int TILED_BYTES = 2 * TILE * TILE * Float.BYTES;
    static final int BLOCKED_BYTES = 2 * BLOCK * TILE * Float.BYTES;

    private ProductKernels() {
    }

    // Conditions are written as bounds: TornadoVM has been seen to negate a boolean of || and && in part.

    /** Columns of a row that are computed: all, or down to the diagonal; none of a row that is not there. */
    private static int columns(int row, int m, int n, int triangle) {
        int last = triangle == 1 ? row + 1 : n;
        int inside = last < n ? last : n;
        return row < m ? inside : 0;
    }

    /** Columns of a row that are written to the other side of the diagonal too. */
    private static int mirrored(int row, int triangle) {
        return triangle == 1 ? row : 0;
    }

    /** One element of C an item; x is the column. */
    public static void plainProduct(KernelContext context, IntArray sizes, FloatArray a, FloatArray b, FloatArray c, IntArray done) {
        int col = context.globalIdx;
        int row = context.globalIdy;
        int m = sizes.get(1);
        int n = sizes.get(2);
        int k = sizes.get(3);
        int aRow = sizes.get(4);
        int aK = sizes.get(5);
        int bK = sizes.get(6);
        int bCol = sizes.get(7);
        int accumulate = sizes.get(8);
        int triangle = sizes.get(9);
        if (col < columns(row, m, n, triangle)) {
            int at = row * n + col;
            float total = 0f;
            if (accumulate == 1) {
                total = c.get(at);
            }
            for (int from = 0; from < k; from += 384) {
                int to = from + 384 < k ? from + 384 : k;
                float sum = 0f;
                for (int p = from; p < to; p++) {
                    sum = a.get(row * aRow + p * aK) * b.get(p * bK + col * bCol) + sum;
                }
                int add = from > 0 ? 1 : accumulate;
                total = add == 1 ? total + sum : sum;
            }
            c.set(at, total);
            if (col < mirrored(row, triangle)) {
                c.set(col * n + row, total);
            }
        }
        if (row == 0 && col == 0) {
            done.set(0, sizes.get(0));
        }
    }

    /** One element of C an item, groups of 16 x 16 that share tiles of A and B in local memory. */
    public static void tiledProduct(KernelContext context, IntArray sizes, FloatArray a, FloatArray b, FloatArray c, IntArray done) {
        float[] tileA = context.allocateFloatLocalArray(256);
        float[] tileB = context.allocateFloatLocalArray(256);
        int x = context.localIdx;
        int y = context.localIdy;
        int groupX = context.groupIdx;
        int groupY = context.groupIdy;
        int col = groupX * 16 + x;
        int row = groupY * 16 + y;
        int m = sizes.get(1);
        int n = sizes.get(2);
        int k = sizes.get(3);
        int aRow = sizes.get(4);
        int aK = sizes.get(5);
        int bK = sizes.get(6);
        int bCol = sizes.get(7);
        int accumulate = sizes.get(8);
        int triangle = sizes.get(9);
        // A group above the diagonal has nothing to add up, and all its items agree on that.
        int depth = groupX > (triangle == 1 ? groupY : groupX) ? 0 : k;
        int columns = columns(row, m, n, triangle);
        int at = row * n + col;
        float total = 0f;
        if (col < columns) {
            if (accumulate == 1) {
                total = c.get(at);
            }
        }
        for (int from = 0; from < depth; from += 384) {
            int to = from + 384 < depth ? from + 384 : depth;
            float sum = 0f;
            for (int t = from; t < to; t += 16) {
                float av = 0f;
                if (row < m && t + x < to) {
                    av = a.get(row * aRow + (t + x) * aK);
                }
                float bv = 0f;
                if (col < n && t + y < to) {
                    bv = b.get((t + y) * bK + col * bCol);
                }
                tileA[y * 16 + x] = av;
                tileB[y * 16 + x] = bv;
                context.localBarrier();
                int count = to - t < 16 ? to - t : 16;
                for (int p = 0; p < count; p++) {
                    sum = tileA[y * 16 + p] * tileB[p * 16 + x] + sum;
                }
                context.localBarrier();
            }
            int add = from > 0 ? 1 : accumulate;
            total = add == 1 ? total + sum : sum;
        }
        if (col < columns) {
            c.set(at, total);
            if (col < mirrored(row, triangle)) {
                c.set(col * n + row, total);
            }
        }
        if (row == 0 && col == 0) {
            done.set(0, sizes.get(0));
        }
    }

    /**
     * Four by four elements of C an item, in registers; groups of 16 x 16 items share 64 rows of A and 64 columns of B, 16 k at a time. An item's rows and
     * columns lie 16 apart, so that neighbours read and write neighbours. Block sums go to C as the definition has it, so only they need registers.
     */
    public static void blockedProduct(KernelContext context, IntArray sizes, FloatArray a, FloatArray b, FloatArray c, IntArray done) {
        float[] tileA = context.allocateFloatLocalArray(1024);
        float[] tileB = context.allocateFloatLocalArray(1024);
        int x = context.localIdx;
        int y = context.localIdy;
        int groupX = context.groupIdx;
        int groupY = context.groupIdy;
        int firstCol = groupX * 64;
        int firstRow = groupY * 64;
        int item = y * 16 + x;
        int m = sizes.get(1);
        int n = sizes.get(2);
        int k = sizes.get(3);
        int aRow = sizes.get(4);
        int aK = sizes.get(5);
        int bK = sizes.get(6);
        int bCol = sizes.get(7);
        int accumulate = sizes.get(8);
        int triangle = sizes.get(9);
        int depth = groupX > (triangle == 1 ? groupY : groupX) ? 0 : k;
        for (int from = 0; from < depth; from += 384) {
            int to = from + 384 < depth ? from + 384 : depth;
            float s00 = 0f;
            float s01 = 0f;
            float s02 = 0f;
            float s03 = 0f;
            float s10 = 0f;
            float s11 = 0f;
            float s12 = 0f;
            float s13 = 0f;
            float s20 = 0f;
            float s21 = 0f;
            float s22 = 0f;
            float s23 = 0f;
            float s30 = 0f;
            float s31 = 0f;
            float s32 = 0f;
            float s33 = 0f;
            for (int t = from; t < to; t += 16) {
                for (int e = item; e < 1024; e += 256) {
                    // Neighbouring items read neighbouring elements, whichever way the factor lies.
                    int pa = aK == 1 ? e % 16 : e / 64;
                    int ia = aK == 1 ? e / 16 : e % 64;
                    float av = 0f;
                    if (firstRow + ia < m && t + pa < to) {
                        av = a.get((firstRow + ia) * aRow + (t + pa) * aK);
                    }
                    tileA[pa * 64 + ia] = av;
                    int pb = bK == 1 ? e % 16 : e / 64;
                    int jb = bK == 1 ? e / 16 : e % 64;
                    float bv = 0f;
                    if (firstCol + jb < n && t + pb < to) {
                        bv = b.get((t + pb) * bK + (firstCol + jb) * bCol);
                    }
                    tileB[pb * 64 + jb] = bv;
                }
                context.localBarrier();
                int count = to - t < 16 ? to - t : 16;
                for (int p = 0; p < count; p++) {
                    float a0 = tileA[p * 64 + y];
                    float a1 = tileA[p * 64 + y + 16];
                    float a2 = tileA[p * 64 + y + 32];
                    float a3 = tileA[p * 64 + y + 48];
                    float b0 = tileB[p * 64 + x];
                    float b1 = tileB[p * 64 + x + 16];
                    float b2 = tileB[p * 64 + x + 32];
                    float b3 = tileB[p * 64 + x + 48];
                    s00 = a0 * b0 + s00;
                    s01 = a0 * b1 + s01;
                    s02 = a0 * b2 + s02;
                    s03 = a0 * b3 + s03;
                    s10 = a1 * b0 + s10;
                    s11 = a1 * b1 + s11;
                    s12 = a1 * b2 + s12;
                    s13 = a1 * b3 + s13;
                    s20 = a2 * b0 + s20;
                    s21 = a2 * b1 + s21;
                    s22 = a2 * b2 + s22;
                    s23 = a2 * b3 + s23;
                    s30 = a3 * b0 + s30;
                    s31 = a3 * b1 + s31;
                    s32 = a3 * b2 + s32;
                    s33 = a3 * b3 + s33;
                }
                context.localBarrier();
            }
            int add = from > 0 ? 1 : accumulate;
            for (int r = 0; r < 4; r++) {
                float v0 = r == 0 ? s00 : r == 1 ? s10 : r == 2 ? s20 : s30;
                float v1 = r == 0 ? s01 : r == 1 ? s11 : r == 2 ? s21 : s31;
                float v2 = r == 0 ? s02 : r == 1 ? s12 : r == 2 ? s22 : s32;
                float v3 = r == 0 ? s03 : r == 1 ? s13 : r == 2 ? s23 : s33;
                int row = firstRow + y + 16 * r;
                for (int q = 0; q < 4; q++) {
                    float v = q == 0 ? v0 : q == 1 ? v1 : q == 2 ? v2 : v3;
                    int col = firstCol + x + 16 * q;
                    if (col < columns(row, m, n, triangle)) {
                        if (add == 1) {
                            v = c.get(row * n + col) + v;
                        }
                        c.set(row * n + col, v);
                        if (col < mirrored(row, triangle)) {
                            c.set(col * n + row, v);
                        }
                    }
                }
            }
        }
        if (item == 0 && groupX == 0 && groupY == 0) {
            done.set(0, sizes.get(0));
        }
    }

    /** X becomes shrink · X, one element an item: between two sequences of a Hessian's sum. Sizes: ticket, elements. */
    public static void shrinkAll(KernelContext context, IntArray sizes, FloatArray factor, FloatArray x, IntArray done) {
        int i = context.globalIdx;
        if (i < sizes.get(1)) {
            x.set(i, x.get(i) * factor.get(0));
        }
        if (i == 0) {
            done.set(0, sizes.get(0));
        }
    }
}
