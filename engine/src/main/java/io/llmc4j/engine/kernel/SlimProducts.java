package io.llmc4j.engine.kernel;

/**
 * Products with few columns, or few rows, where both operands run along k: C[i, j] = Σ A[i, :] · B[j, :]. The few are packed side by side into lanes; the
 * many are read where they lie ({@link LooseTiles}), because packing them would cost more than the few products it serves. With very few, lanes would be
 * empty: then the many become lanes, in registers ({@link TurnedTiles}).
 */
final class SlimProducts {

    private static final int L = Lanes.L;
    private static final int WIDE = 2 * L;
    /** Columns up to which this is faster than packing both operands. */
    private static final int FEW = 128;
    /** Rows up to which it is: the result then lies across. */
    private static final int FEW_ACROSS = 16;
    /** Rows that stay in the second-level cache while the panels pass. */
    private static final int ROW_BLOCK = 64;
    /** Up to so many, the many are turned in registers. */
    private static final int VERY_FEW = Transposes.EIGHT ? 3 : 0;
    private static final long PARALLEL_WORK = 1L << 20;

    /** A thread's panels and the tile that is computed aside. */
    private static final class Buffers {
        private float[] pack = new float[0];
        private float[] rows = new float[0];
        private final float[] tile = new float[Math.max(LooseTiles.NARROW_ROWS * L, LooseTiles.WIDE_ROWS * WIDE)];

        /** {@code count} rows of k numbers at distance {@link #COPY_STEP}. */
        float[] copy(int count, int k, float[] y, int at, int ldy) {
            if (rows.length == 0) {
                rows = new float[ROW_BLOCK * COPY_STEP];
            }
            for (int r = 0; r < count; r++) {
                System.arraycopy(y, at + r * ldy, rows, r * COPY_STEP, k);
            }
            return rows;
        }

        float[] pack(int n) {
            return pack.length >= n ? pack : (pack = new float[n]);
        }
    }

    /** Rows at a multiple of this distance (4 KiB) want the same lines of the first-level cache; they are copied side by side first. */
    private static final int SAME_LINES = 1024;
    /** Of copied rows; not a power of two. */
    private static final int COPY_STEP = Kernels.K_BLOCK + 16;

    private static final ThreadLocal<Buffers> BUFFERS = ThreadLocal.withInitial(Buffers::new);

    private SlimProducts() {
    }

    /** Whether a product of this shape, both operands contiguous along k, is one of these. */
    static boolean fits(int m, int n) {
        return n <= FEW || m <= FEW_ACROSS;
    }

    /** Both operands contiguous along k; {@link #fits}. */
    static void run(int m, int n, int k, float[] a, int aOff, int lda, float[] b, int bOff, int ldb, float[] c, int cOff, int ldc, boolean accumulate) {
        // A product does not care which factor comes first: either may be the lanes.
        if (Math.min(m, n) <= VERY_FEW) {
            if (n <= m) {
                turned(m, n, k, a, aOff, lda, b, bOff, ldb, c, cOff, ldc, 1, accumulate);
            } else {
                turned(n, m, k, b, bOff, ldb, a, aOff, lda, c, cOff, 1, ldc, accumulate);
            }
            return;
        }
        boolean columns = m > FEW || n <= FEW && (m > FEW_ACROSS && n > FEW_ACROSS || steps(m, n) <= steps(n, m));
        if (columns) {
            new Slim(m, n, a, aOff, lda, b, bOff, ldb, c, cOff, ldc, 1).run(k, accumulate);
        } else {
            new Slim(n, m, b, bOff, ldb, a, aOff, lda, c, cOff, 1, ldc).run(k, accumulate);
        }
    }

    /** About how long a column of k takes, packing included, in fifths of a nanosecond on the machine where it was measured. */
    private static int steps(int many, int few) {
        int rest = few % WIDE;
        int wide = few / WIDE + (rest > L ? 1 : 0);
        int narrow = rest > 0 && rest <= L ? 1 : 0;
        return wide * 8 * ((many + 3) / 4) + narrow * 12 * ((many + 7) / 8) + wide * WIDE + narrow * L;
    }

    /** Very few rows of X, and the many of Y as lanes; element (i, j) of the result, i of many, is {@code c[cOff + i * manyStep + j * fewStep]}. */
    private static void turned(int many, int few, int k, float[] y, int yOff, int ldy, float[] x, int xOff, int ldx, float[] c, int cOff, int manyStep, int fewStep,
                               boolean accumulate) {
        int grain = (long) many * few * k < PARALLEL_WORK ? many : Math.max(8, many / (8 * Parallel.threads()) & -8);
        Parallel.forRange(many, grain, (from, to) -> {
            float[] tile = BUFFERS.get().tile;
            for (int j = from; j < to; j += 8) {
                int rows = Math.min(8, to - j);
                for (int p = 0; p < k; p += Kernels.K_BLOCK) {
                    int kc = Math.min(Kernels.K_BLOCK, k - p);
                    turnedTile(rows, few, kc, y, yOff + j * ldy + p, ldy, x, xOff + p, ldx, tile);
                    for (int i = 0; i < few; i++) {
                        for (int r = 0; r < rows; r++) {
                            int d = cOff + i * fewStep + (j + r) * manyStep;
                            c[d] = accumulate || p > 0 ? c[d] + tile[i * 8 + r] : tile[i * 8 + r];
                        }
                    }
                }
            }
        });
    }

    /** Columns that a vector cannot take are done one by one: those past the last four, and, where rows lack, all that stand before memory that may not be there. */
    private static void turnedTile(int rows, int few, int k, float[] y, int yAt, int ldy, float[] x, int xAt, int ldx, float[] tile) {
        int whole = ldy < 4 || rows == 1 ? 0 : rows == 8 ? k & -4 : Math.max(0, k - 4 & -4);
        TurnedTiles.rows(few, rows, whole, y, yAt, ldy, x, xAt, ldx, tile);
        for (int i = 0; i < few; i++) {
            for (int r = 0; r < rows; r++) {
                float sum = tile[i * 8 + r];
                for (int p = whole; p < k; p++) {
                    sum = Math.fma(x[xAt + i * ldx + p], y[yAt + r * ldy + p], sum);
                }
                tile[i * 8 + r] = sum;
            }
        }
    }

    /** {@code many} rows of Y, {@code few} of X in the lanes; element (i, j) of the result is {@code c[cOff + i * manyStep + j * fewStep]}. */
    private record Slim(int many, int few, float[] y, int yOff, int ldy, float[] x, int xOff, int ldx, float[] c, int cOff, int manyStep, int fewStep) {

        void run(int k, boolean accumulate) {
            boolean parallel = (long) many * few * k >= PARALLEL_WORK && Parallel.threads() > 1 && !Parallel.inside();
            int panels = (few + WIDE - 1) / WIDE;
            float[] pack = BUFFERS.get().pack(panels * WIDE * Math.min(k, Kernels.K_BLOCK));
            for (int p = 0; p < k; p += Kernels.K_BLOCK) {
                int kc = Math.min(Kernels.K_BLOCK, k - p);
                int first = p;
                boolean add = accumulate || p > 0;
                for (int j = 0; j < few; j += WIDE) {
                    int columns = Math.min(WIDE, few - j);
                    Packing.panel(kc, columns, columns <= L ? L : WIDE, x, xOff + j * ldx + p, ldx, 1, pack, j * kc);
                }
                if (parallel) {
                    int grain = Math.max(LooseTiles.NARROW_ROWS, many / (8 * Parallel.threads()) & -LooseTiles.NARROW_ROWS);
                    Parallel.forRange(many, grain, (from, to) -> rows(from, to, first, kc, pack, add));
                } else {
                    rows(0, many, first, kc, pack, add);
                }
            }
        }

        private void rows(int from, int to, int p, int k, float[] pack, boolean add) {
            Buffers buffers = BUFFERS.get();
            for (int i = from; i < to; i += ROW_BLOCK) {
                int rows = Math.min(ROW_BLOCK, to - i);
                if (ldy % SAME_LINES == 0) {
                    block(i, rows, buffers.copy(rows, k, y, yOff + i * ldy + p, ldy), 0, COPY_STEP, k, pack, add, buffers.tile);
                } else {
                    block(i, rows, y, yOff + i * ldy + p, ldy, k, pack, add, buffers.tile);
                }
            }
        }

        /** {@code rows} rows of C from row i on; those of Y begin at {@code at} of {@code from}. */
        private void block(int i, int rows, float[] from, int at, int step, int k, float[] pack, boolean add, float[] tile) {
            for (int j = 0; j < few; j += WIDE) {
                int columns = Math.min(WIDE, few - j);
                boolean narrow = columns <= L;
                int height = narrow ? LooseTiles.NARROW_ROWS : LooseTiles.WIDE_ROWS;
                int width = narrow ? L : WIDE;
                for (int r = 0; r < rows; r += height) {
                    int left = Math.min(height, rows - r);
                    boolean whole = left == height && columns == width && fewStep == 1;
                    float[] to = whole ? c : tile;
                    int toAt = whole ? cOff + (i + r) * manyStep + j : 0;
                    int ldTo = whole ? manyStep : width;
                    if (narrow) {
                        LooseTiles.narrow(left, k, from, at + r * step, step, pack, j * k, to, toAt, ldTo, whole && add);
                    } else {
                        LooseTiles.wide(left, k, from, at + r * step, step, pack, j * k, to, toAt, ldTo, whole && add);
                    }
                    if (!whole) {
                        put(i + r, left, j, columns, tile, width, add);
                    }
                }
            }
        }

        /** A tile that is larger than what is left of C, or lies across: along the rows of C in either case. */
        private void put(int i, int rows, int j, int columns, float[] tile, int width, boolean add) {
            boolean across = manyStep == 1;
            int outer = across ? columns : rows;
            int inner = across ? rows : columns;
            int outerStep = across ? fewStep : manyStep;
            int fromOuter = across ? 1 : width;
            int fromInner = across ? width : 1;
            int to = cOff + i * manyStep + j * fewStep;
            for (int o = 0; o < outer; o++) {
                for (int q = 0; q < inner; q++) {
                    int d = to + o * outerStep + q;
                    float v = tile[o * fromOuter + q * fromInner];
                    c[d] = add ? c[d] + v : v;
                }
            }
        }
    }
}
