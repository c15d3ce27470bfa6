package io.llmc4j.engine.kernel;

/**
 * The blocked product behind {@link VectorKernels}: panels of A and B for one k-block are packed, then register tiles walk them, split
 * between threads by tiles of C.
 *
 * <p>Each element of C is summed over k in order inside a k-block and block sums are added in order, whatever the tile, the width or the
 * thread: that is the law of {@link Kernels}, and the reason why the k-block is fixed.
 */
final class VectorGemm {

    private static final int L = Lanes.L;
    private static final int WIDE = 2 * L;
    private static final int TILE = Lanes.TILE_ROWS;
    private static final int K_BLOCK = Kernels.K_BLOCK;
    /** Rows that stay in the second-level cache while the panels of B pass (240 · 384 floats). */
    private static final int ROW_BLOCK = 240;
    /** Rows and columns packed at once: bounds the buffers to about 10 MB a thread. */
    private static final int ROW_SPAN = 1200;
    private static final int COLUMN_SPAN = 1024;
    /** Outputs from which on sums are kept aside between k-blocks: past the first-level cache. */
    private static final long ASIDE = 1L << 15;
    /** Rows of C that are read ahead together; a multiple of every tile's. */
    private static final int TOUCHED_ROWS = 24;
    /** Below this many multiply-adds, starting helpers costs more than they give. */
    private static final long PARALLEL_WORK = 1L << 21;
    /** Up to this many rows, B is read where it lies if its rows are contiguous: copying it would cost more than it saves. */
    private static final int DIRECT_ROWS = 24;
    /** Up to this many columns, they are better rows (measured against tiles that are filled in part). */
    private static final int FEW_COLUMNS = 12;

    private static final float[] NONE = new float[0];
    private static final ThreadLocal<Buffers> BUFFERS = ThreadLocal.withInitial(Buffers::new);

    /** A thread's panels, kept from call to call; they grow to what was needed and no further than the spans. */
    private static final class Buffers {
        float[] a = new float[0];
        float[] b = new float[0];
        float[] kept = new float[0];
        float[] turned = new float[0];

        float[] kept(int n) {
            return kept.length >= n ? kept : (kept = new float[n]);
        }

        float[] turned(int n) {
            return turned.length >= n ? turned : (turned = new float[n]);
        }

        float[] a(int n) {
            return a.length >= n ? a : (a = new float[n]);
        }

        float[] b(int n) {
            return b.length >= n ? b : (b = new float[n]);
        }
    }

    /** Where {@link Span#touch} leaves its sum, so that its reads are not dead code. Never read. */
    @SuppressWarnings("unused")
    private static float touched;

    private VectorGemm() {
    }

    /** A by (row step, k step), B by (k step, column step). {@code lowerOnly}: tiles above the diagonal are left alone (C square). */
    static void run(int m, int n, int k, float[] a, int aOff, int aRow, int aK, float[] b, int bOff, int bK, int bCol,
                    float[] c, int cOff, int ldc, boolean accumulate, boolean lowerOnly) {
        ScalarKernels.checkProduct(m, n, k, a, aOff, aRow, aK, b, bOff, bK, bCol, c, cOff, ldc);
        if (m == 0 || n == 0) {
            return;
        }
        if (k == 0) {
            if (!accumulate) {
                for (int i = 0; i < m; i++) {
                    java.util.Arrays.fill(c, cOff + i * ldc, cOff + i * ldc + n, 0f);
                }
            }
            return;
        }
        if (aK == 1 && bK == 1 && SlimProducts.fits(m, n) && !lowerOnly) {
            SlimProducts.run(m, n, k, a, aOff, aRow, b, bOff, bCol, c, cOff, ldc, accumulate);
            return;
        }
        if (n <= FEW_COLUMNS && m >= 2 * FEW_COLUMNS && !lowerOnly) {
            turnedOver(m, n, k, a, aOff, aRow, aK, b, bOff, bK, bCol, c, cOff, ldc, accumulate);
            return;
        }
        boolean parallel = (long) m * n * k >= PARALLEL_WORK && Parallel.threads() > 1 && !Parallel.inside();
        boolean direct = bCol == 1 && m <= DIRECT_ROWS;
        boolean aside = k > K_BLOCK && (long) m * n >= ASIDE && !direct;
        Buffers buffers = BUFFERS.get();
        for (int j = 0; j < n; j += COLUMN_SPAN) {
            int nc = Math.min(COLUMN_SPAN, n - j);
            for (int i = 0; i < m; i += ROW_SPAN) {
                int mc = Math.min(ROW_SPAN, m - i);
                if (lowerOnly && i + mc <= j) {
                    continue;
                }
                for (int p = 0; p < k; p += K_BLOCK) {
                    int kc = Math.min(K_BLOCK, k - p);
                    Span s = new Span(mc, nc, kc, a, aOff + i * aRow + p * aK, aRow, aK, b, bOff + p * bK + j * bCol, bK, bCol,
                            c, cOff + i * ldc + j, ldc, accumulate || p > 0, lowerOnly, j - i, direct, aside, p == 0, p + kc == k,
                            buffers.a(mc * kc), buffers.b(kc * packedColumns(nc)), aside ? buffers.kept(mc * ((nc + WIDE - 1) / WIDE * WIDE)) : NONE);
                    s.run(parallel);
                }
            }
        }
    }

    /** Cᵀ = Bᵀ · Aᵀ: few columns would fill a part of each vector, as rows they fill whole ones. Products commute, so the bits are the same. */
    private static void turnedOver(int m, int n, int k, float[] a, int aOff, int aRow, int aK, float[] b, int bOff, int bK, int bCol,
                                   float[] c, int cOff, int ldc, boolean accumulate) {
        float[] turned = BUFFERS.get().turned(n * m);
        if (accumulate) {
            for (int i = 0; i < m; i++) {
                for (int j = 0; j < n; j++) {
                    turned[j * m + i] = c[cOff + i * ldc + j];
                }
            }
        }
        run(n, m, k, b, bOff, bCol, bK, a, aOff, aK, aRow, turned, 0, m, accumulate, false);
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                c[cOff + i * ldc + j] = turned[j * m + i];
            }
        }
    }

    private static int packedColumns(int n) {
        int rest = n % WIDE;
        return n - rest + (rest == 0 ? 0 : rest <= L ? L : WIDE);
    }

    /**
     * One k-block of at most ROW_SPAN by COLUMN_SPAN outputs. {@code diagonal}: column of C minus row of C at its corner.
     *
     * <p>{@code aside}: from the first k-block to the last, sums are kept in {@code kept}, tile behind tile, where the processor sees the next ones coming; rows of C
     * lie far apart, and a tile would wait for each of its own.
     */
    private record Span(int m, int n, int k, float[] a, int aOff, int aRow, int aK, float[] b, int bOff, int bK, int bCol,
                        float[] c, int cOff, int ldc, boolean add, boolean lowerOnly, int diagonal, boolean direct, boolean aside, boolean first, boolean last, float[] aPack, float[] bPack,
                        float[] kept) {

        void run(boolean parallel) {
            int aPanels = (m + TILE - 1) / TILE;
            int bPanels = (n + WIDE - 1) / WIDE;
            int wholeB = n / WIDE;
            // A direct B still needs its last, ragged panel padded with zeros.
            int firstPacked = direct ? wholeB : 0;
            if (!parallel) {
                packA(0, aPanels);
                packB(firstPacked, bPanels);
                for (int row = 0; row < m; row += ROW_BLOCK) {
                    tiles(row, Math.min(m, row + ROW_BLOCK), 0, bPanels);
                }
                return;
            }
            int aTasks = (aPanels + 15) / 16;
            int bTasks = (bPanels - firstPacked + 15) / 16;
            Parallel.forEach(aTasks + bTasks, t -> {
                if (t < aTasks) {
                    packA(16 * t, Math.min(aPanels, 16 * t + 16));
                } else {
                    int from = firstPacked + 16 * (t - aTasks);
                    packB(from, Math.min(bPanels, from + 16));
                }
            });
            int rowTasks = (m + ROW_BLOCK - 1) / ROW_BLOCK;
            int wanted = Math.max(1, (8 * Parallel.threads() + rowTasks - 1) / rowTasks);
            int chunk = Math.max(4, (bPanels + wanted - 1) / wanted);
            int columnTasks = (bPanels + chunk - 1) / chunk;
            Parallel.forEach(rowTasks * columnTasks, t -> {
                int row = t / columnTasks * ROW_BLOCK;
                int panel = t % columnTasks * chunk;
                tiles(row, Math.min(m, row + ROW_BLOCK), panel, Math.min(bPanels, panel + chunk));
            });
        }

        private int tileRows(int left) {
            return direct ? Math.min(left, 4) : Lanes.tileRows(left);
        }

        /** Panels of TILE rows; what is left is cut into tiles of fewer, each of its own width, so that row r always starts at r * k. */
        private void packA(int from, int to) {
            int i = from;
            if (aRow == 1 && TILE == 4) {
                // Sixteen rows of A are a line of the cache.
                for (; i + 4 <= to && (i + 4) * TILE <= m; i += 4) {
                    Packing.fourPanels(k, a, aOff + i * TILE, aK, aPack, i * TILE * k);
                }
            }
            for (; i < to; i++) {
                int last = Math.min(m, i * TILE + TILE);
                for (int row = i * TILE; row < last; ) {
                    int rows = tileRows(last - row);
                    Packing.panel(k, rows, rows, a, aOff + row * aRow, aRow, aK, aPack, row * k);
                    row += rows;
                }
            }
        }

        private void packB(int from, int to) {
            for (int j = from; j < to; j++) {
                int column = j * WIDE;
                int columns = Math.min(WIDE, n - column);
                Packing.panel(k, columns, columns <= L ? L : WIDE, b, bOff + column * bCol, bCol, bK, bPack, column * k);
            }
        }

        private void tiles(int rowFrom, int rowTo, int panelFrom, int panelTo) {
            for (int j = panelFrom; j < panelTo; j++) {
                int column = j * WIDE;
                int columns = Math.min(WIDE, n - column);
                boolean whole = columns == WIDE;
                // The first tile that the diagonal does not leave above it.
                int from = lowerOnly ? rowFrom + Math.max(0, column + diagonal - rowFrom) / TILE * TILE : rowFrom;
                int ahead = from;
                for (int row = from; row < rowTo; ) {
                    if (row == ahead && (!aside || first && add)) {
                        ahead = Math.min(rowTo, row + TOUCHED_ROWS);
                        touched = touch(c, cOff + row * ldc + column, ldc, ahead - row, columns - 1);
                    }
                    int rows = columns <= L && TILE == 4 && rowTo - row >= 8 ? 8 : tileRows(rowTo - row);
                    int to = cOff + row * ldc + column;
                    if (aside) {
                        keep(rows, columns, row * k, column * k, column * m + row * WIDE, to);
                    } else if (!whole) {
                        ragged(rows, columns, row * k, column * k, to);
                    } else if (direct) {
                        DirectTiles.rows(rows, k, aPack, row * k, b, bOff + column, bK, c, to, ldc, add);
                    } else {
                        WideTiles.rows(rows, k, aPack, row * k, bPack, column * k, c, to, ldc, add);
                    }
                    row += rows;
                }
            }
        }

        /**
         * Reads one element at each end of the next rows of a column of tiles, so that the cache misses of C overlap: a tile alone would wait for
         * its own at its end (a fifth of its time when C is in memory). Few rows at a time: rows of a power of two fall into the same sets of a cache.
         */
        private static float touch(float[] c, int at, int ldc, int rows, int last) {
            float s0 = 0f;
            float s1 = 0f;
            for (int r = 0, i = at; r < rows; r++, i += ldc) {
                s0 += c[i];
                s1 += c[i + last];
            }
            return s0 + s1;
        }

        /** A tile whose sums are at {@code at} of those kept: from C before the first k-block, to C after the last. */
        private void keep(int rows, int columns, int aAt, int bAt, int at, int to) {
            if (first && add) {
                for (int r = 0; r < rows; r++) {
                    System.arraycopy(c, to + r * ldc, kept, at + r * WIDE, columns);
                }
            }
            if (columns > L) {
                WideTiles.rows(rows, k, aPack, aAt, bPack, bAt, kept, at, WIDE, add);
            } else {
                narrow(rows, aAt, bAt, kept, at, WIDE, add);
            }
            if (last) {
                for (int r = 0; r < rows; r++) {
                    System.arraycopy(kept, at + r * WIDE, c, to + r * ldc, columns);
                }
            }
        }

        /** A tile that is wider than what is left of C: computed aside, then copied. */
        private void ragged(int rows, int columns, int aAt, int bAt, int to) {
            float[] tile = EDGE.get();
            if (columns == L) {
                narrow(rows, aAt, bAt, c, to, ldc, add);
                return;
            }
            if (columns > L) {
                WideTiles.rows(rows, k, aPack, aAt, bPack, bAt, tile, 0, WIDE, false);
            } else {
                narrow(rows, aAt, bAt, tile, 0, WIDE, false);
            }
            for (int i = 0; i < rows; i++) {
                for (int j = 0; j < columns; j++) {
                    int d = to + i * ldc + j;
                    c[d] = add ? c[d] + tile[i * WIDE + j] : tile[i * WIDE + j];
                }
            }
        }

        private void narrow(int rows, int aAt, int bAt, float[] to, int toAt, int ldTo, boolean adds) {
            if (rows == 8) {
                // Two panels of four.
                NarrowTiles.rows8(k, aPack, aAt, aAt + 4 * k, bPack, bAt, to, toAt, ldTo, adds);
                return;
            }
            for (int r = 0; r < rows; r += 4) {
                NarrowTiles.rows(Math.min(4, rows - r), k, aPack, aAt + r, rows, bPack, bAt, to, toAt + r * ldTo, ldTo, adds);
            }
        }
    }

    private static final ThreadLocal<float[]> EDGE = ThreadLocal.withInitial(() -> new float[Math.max(8, TILE) * WIDE]);
}
