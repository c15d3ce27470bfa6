package io.llmc4j.engine.kernel;

/**
 * Products with very few rows or very few columns where both operands run along k: C[i, j] = Σ A[i, :] · B[j, :].
 *
 * <p>A sum over k is sequential by law, so vector lanes would have to be different outputs, and packing them together costs more than the few
 * products it serves. Eight outputs at a time in scalar registers are as fast as their operands arrive.
 */
final class SlimProducts {

    /** Rows or columns up to which this was measured to be faster than packing. */
    static final int FEW = 1;
    private static final long PARALLEL_WORK = 1L << 20;

    private SlimProducts() {
    }

    /** Both operands contiguous along k; one of m and n at most {@link #FEW}. */
    static void run(int m, int n, int k, float[] a, int aOff, int lda, float[] b, int bOff, int ldb, float[] c, int cOff, int ldc, boolean accumulate) {
        // A product does not care which factor comes first: the few become x, the many y.
        boolean fewRows = m <= n;
        int few = fewRows ? m : n;
        int many = fewRows ? n : m;
        float[] x = fewRows ? a : b;
        float[] y = fewRows ? b : a;
        int xOff = fewRows ? aOff : bOff;
        int yOff = fewRows ? bOff : aOff;
        int ldx = fewRows ? lda : ldb;
        int ldy = fewRows ? ldb : lda;
        int fewStep = fewRows ? ldc : 1;
        int manyStep = fewRows ? 1 : ldc;
        if ((long) m * n * k < PARALLEL_WORK) {
            part(0, many, few, k, x, xOff, ldx, y, yOff, ldy, c, cOff, fewStep, manyStep, accumulate);
        } else {
            Parallel.forRange(many, (from, to) -> part(from, to, few, k, x, xOff, ldx, y, yOff, ldy, c, cOff, fewStep, manyStep, accumulate));
        }
    }

    private static void part(int from, int to, int few, int k, float[] x, int xOff, int ldx, float[] y, int yOff, int ldy,
                             float[] c, int cOff, int fewStep, int manyStep, boolean accumulate) {
        for (int p = 0; p < k; p += Kernels.K_BLOCK) {
            int kc = Math.min(Kernels.K_BLOCK, k - p);
            boolean add = accumulate || p > 0;
            int j = from;
            for (; j + 8 <= to; j += 8) {
                for (int i = 0; i < few; i++) {
                    eight(kc, x, xOff + i * ldx + p, y, yOff + j * ldy + p, ldy, c, cOff + i * fewStep + j * manyStep, manyStep, add);
                }
            }
            for (; j < to; j++) {
                for (int i = 0; i < few; i++) {
                    one(kc, x, xOff + i * ldx + p, y, yOff + j * ldy + p, c, cOff + i * fewStep + j * manyStep, add);
                }
            }
        }
    }

    private static void eight(int k, float[] x, int xAt, float[] y, int y0, int ldy, float[] c, int cAt, int cStep, boolean add) {
        int y1 = y0 + ldy;
        int y2 = y1 + ldy;
        int y3 = y2 + ldy;
        int y4 = y3 + ldy;
        int y5 = y4 + ldy;
        int y6 = y5 + ldy;
        int y7 = y6 + ldy;
        float s0 = 0f;
        float s1 = 0f;
        float s2 = 0f;
        float s3 = 0f;
        float s4 = 0f;
        float s5 = 0f;
        float s6 = 0f;
        float s7 = 0f;
        for (int p = 0; p < k; p++) {
            float v = x[xAt + p];
            s0 = Math.fma(v, y[y0 + p], s0);
            s1 = Math.fma(v, y[y1 + p], s1);
            s2 = Math.fma(v, y[y2 + p], s2);
            s3 = Math.fma(v, y[y3 + p], s3);
            s4 = Math.fma(v, y[y4 + p], s4);
            s5 = Math.fma(v, y[y5 + p], s5);
            s6 = Math.fma(v, y[y6 + p], s6);
            s7 = Math.fma(v, y[y7 + p], s7);
        }
        put(c, cAt, s0, add);
        put(c, cAt + cStep, s1, add);
        put(c, cAt + 2 * cStep, s2, add);
        put(c, cAt + 3 * cStep, s3, add);
        put(c, cAt + 4 * cStep, s4, add);
        put(c, cAt + 5 * cStep, s5, add);
        put(c, cAt + 6 * cStep, s6, add);
        put(c, cAt + 7 * cStep, s7, add);
    }

    private static void one(int k, float[] x, int xAt, float[] y, int yAt, float[] c, int cAt, boolean add) {
        float s = 0f;
        for (int p = 0; p < k; p++) {
            s = Math.fma(x[xAt + p], y[yAt + p], s);
        }
        put(c, cAt, s, add);
    }

    private static void put(float[] c, int at, float v, boolean add) {
        c[at] = add ? c[at] + v : v;
    }
}
