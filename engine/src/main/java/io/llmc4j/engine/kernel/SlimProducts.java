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
    private static final int FEW = 64;
    /** Up to so many, the many are turned in registers. */
    private static final int VERY_FEW = Transposes.EIGHT ? 3 : 0;
    private static final long PARALLEL_WORK = 1L << 20;

    /** A thread's panels and the tile that is computed aside. */
    private static final class Buffers {
        private float[] pack = new float[0];
        private final float[] tile = new float[Math.max(LooseTiles.NARROW_ROWS * L, LooseTiles.WIDE_ROWS * WIDE)];

        float[] pack(int n) {
            return pack.length >= n ? pack : (pack = new float[n]);
        }
    }

    private static final ThreadLocal<Buffers> BUFFERS = ThreadLocal.withInitial(Buffers::new);

    private SlimProducts() {
    }

    /** Whether a product of this shape, both operands contiguous along k, is one of these. */
    static boolean fits(int m, int n) {
        return Math.min(m, n) <= FEW;
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
        boolean columns = m > FEW || n <= FEW && steps(m, n) <= steps(n, m);
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
            for (int p = 0; p < k; p += Kernels.K_BLOCK) {
                int kc = Math.min(Kernels.K_BLOCK, k - p);
                for (int j = from; j < to; j += 8) {
                    int rows = Math.min(8, to - j);
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
            float[] tile = BUFFERS.get().tile;
            for (int i = from; i < to; i += LooseTiles.NARROW_ROWS) {
                int rows = Math.min(LooseTiles.NARROW_ROWS, to - i);
                for (int j = 0; j < few; j += WIDE) {
                    int columns = Math.min(WIDE, few - j);
                    if (columns <= L) {
                        narrow(i, rows, j, columns, p, k, pack, add, tile);
                    } else {
                        wide(i, Math.min(LooseTiles.WIDE_ROWS, rows), j, columns, p, k, pack, add, tile);
                        if (rows > LooseTiles.WIDE_ROWS) {
                            wide(i + LooseTiles.WIDE_ROWS, rows - LooseTiles.WIDE_ROWS, j, columns, p, k, pack, add, tile);
                        }
                    }
                }
            }
        }

        private void narrow(int i, int rows, int j, int columns, int p, int k, float[] pack, boolean add, float[] tile) {
            if (rows == LooseTiles.NARROW_ROWS && columns == L && fewStep == 1) {
                LooseTiles.narrow(rows, k, y, yOff + i * ldy + p, ldy, pack, j * k, c, cOff + i * manyStep + j, manyStep, add);
            } else {
                LooseTiles.narrow(rows, k, y, yOff + i * ldy + p, ldy, pack, j * k, tile, 0, L, false);
                put(i, rows, j, columns, tile, L, add);
            }
        }

        private void wide(int i, int rows, int j, int columns, int p, int k, float[] pack, boolean add, float[] tile) {
            if (rows == LooseTiles.WIDE_ROWS && columns == WIDE && fewStep == 1) {
                LooseTiles.wide(rows, k, y, yOff + i * ldy + p, ldy, pack, j * k, c, cOff + i * manyStep + j, manyStep, add);
            } else {
                LooseTiles.wide(rows, k, y, yOff + i * ldy + p, ldy, pack, j * k, tile, 0, WIDE, false);
                put(i, rows, j, columns, tile, WIDE, add);
            }
        }

        /** A tile that is larger than what is left of C, or lies across. */
        private void put(int i, int rows, int j, int columns, float[] tile, int width, boolean add) {
            for (int r = 0; r < rows; r++) {
                int to = cOff + (i + r) * manyStep + j * fewStep;
                for (int q = 0; q < columns; q++) {
                    int d = to + q * fewStep;
                    c[d] = add ? c[d] + tile[r * width + q] : tile[r * width + q];
                }
            }
        }
    }
}
