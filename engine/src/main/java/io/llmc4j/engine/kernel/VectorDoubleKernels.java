package io.llmc4j.engine.kernel;

import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.VectorSpecies;

/** The SIMD twin of {@link ScalarDoubleKernels}, built as {@link VectorGemm} is, with ragged edges padded by zeros. */
public final class VectorDoubleKernels implements DoubleKernels {

    private static final VectorSpecies<Double> D = VectorSpecies.of(double.class, Lanes.F.vectorShape());
    private static final int WIDE = DoubleTiles.WIDE;
    private static final int TILE = Lanes.TILE_ROWS;
    private static final int K_BLOCK = Kernels.K_BLOCK;
    private static final int ROW_BLOCK = 120;
    private static final int ROW_SPAN = 1200;
    private static final int COLUMN_SPAN = 2048;
    private static final long PARALLEL_WORK = 1L << 20;

    private static final ThreadLocal<double[][]> BUFFERS = ThreadLocal.withInitial(() -> new double[2][0]);
    private static final ThreadLocal<double[]> EDGE = ThreadLocal.withInitial(() -> new double[TILE * WIDE]);

    private static double[] buffer(int which, int n) {
        double[][] kept = BUFFERS.get();
        if (kept[which].length < n) {
            kept[which] = new double[n];
        }
        return kept[which];
    }

    @Override
    public void subtractProduct(int m, int n, int k, double[] a, int aOff, int aRow, int aK, double[] b, int bOff, int bK, int bCol,
                                double[] c, int cOff, int ldc) {
        run(m, n, k, a, aOff, aRow, aK, b, bOff, bK, bCol, c, cOff, ldc, false);
    }

    @Override
    public void subtractLower(int n, int k, double[] a, int aOff, int aRow, int aK, double[] b, int bOff, int bK, int bCol, double[] c, int cOff, int ldc) {
        run(n, n, k, a, aOff, aRow, aK, b, bOff, bK, bCol, c, cOff, ldc, true);
    }

    private static void run(int m, int n, int k, double[] a, int aOff, int aRow, int aK, double[] b, int bOff, int bK, int bCol,
                            double[] c, int cOff, int ldc, boolean lowerOnly) {
        boolean parallel = (long) m * n * k >= PARALLEL_WORK && Parallel.threads() > 1 && !Parallel.inside();
        for (int j = 0; j < n; j += COLUMN_SPAN) {
            int nc = Math.min(COLUMN_SPAN, n - j);
            for (int p = 0; p < k; p += K_BLOCK) {
                int kc = Math.min(K_BLOCK, k - p);
                boolean packB = true;
                for (int i = 0; i < m; i += ROW_SPAN) {
                    int mc = Math.min(ROW_SPAN, m - i);
                    if (lowerOnly && i + mc <= j) {
                        continue;
                    }
                    new Span(mc, nc, kc, a, aOff + i * aRow + p * aK, aRow, aK, b, bOff + p * bK + j * bCol, bK, bCol, c, cOff + i * ldc + j, ldc,
                            buffer(0, (mc + TILE) * kc), buffer(1, (nc + WIDE) * kc), lowerOnly, j - i).run(parallel, packB);
                    packB = false;
                }
            }
        }
    }

    @Override
    public void axpy(int n, double alpha, double[] x, int xOff, double[] y, int yOff) {
        int l = D.length();
        DoubleVector f = DoubleVector.broadcast(D, alpha);
        int i = 0;
        for (; i <= n - l; i += l) {
            DoubleVector.fromArray(D, x, xOff + i).fma(f, DoubleVector.fromArray(D, y, yOff + i)).intoArray(y, yOff + i);
        }
        for (; i < n; i++) {
            y[yOff + i] = Math.fma(alpha, x[xOff + i], y[yOff + i]);
        }
    }

    /** {@code diagonal}: column of C minus row of C at its corner. */
    private record Span(int m, int n, int k, double[] a, int aOff, int aRow, int aK, double[] b, int bOff, int bK, int bCol,
                        double[] c, int cOff, int ldc, double[] aPack, double[] bPack, boolean lowerOnly, int diagonal) {

        void run(boolean parallel, boolean packB) {
            int aPanels = (m + TILE - 1) / TILE;
            int bPanels = (n + WIDE - 1) / WIDE;
            int bToPack = packB ? bPanels : 0;
            if (!parallel) {
                packA(0, aPanels);
                packB(0, bToPack);
                for (int row = 0; row < m; row += ROW_BLOCK) {
                    tiles(row, Math.min(m, row + ROW_BLOCK), 0, bPanels);
                }
                return;
            }
            int aTasks = (aPanels + 15) / 16;
            int bTasks = (bToPack + 15) / 16;
            Parallel.forEach(aTasks + bTasks, t -> {
                if (t < aTasks) {
                    packA(16 * t, Math.min(aPanels, 16 * t + 16));
                } else {
                    packB(16 * (t - aTasks), Math.min(bToPack, 16 * (t - aTasks) + 16));
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

        private void packA(int from, int to) {
            for (int i = from; i < to; i++) {
                DoubleTiles.panel(k, Math.min(TILE, m - i * TILE), TILE, a, aOff + i * TILE * aRow, aRow, aK, aPack, i * TILE * k);
            }
        }

        private void packB(int from, int to) {
            for (int j = from; j < to; j++) {
                DoubleTiles.panel(k, Math.min(WIDE, n - j * WIDE), WIDE, b, bOff + j * WIDE * bCol, bCol, bK, bPack, j * WIDE * k);
            }
        }

        private void tiles(int rowFrom, int rowTo, int panelFrom, int panelTo) {
            for (int j = panelFrom; j < panelTo; j++) {
                int column = j * WIDE;
                int columns = Math.min(WIDE, n - column);
                // The first tile that the diagonal does not leave above it.
                int from = lowerOnly ? rowFrom + Math.max(0, column + diagonal - rowFrom) / TILE * TILE : rowFrom;
                for (int row = from; row < rowTo; row += TILE) {
                    int rows = Math.min(TILE, rowTo - row);
                    int to = cOff + row * ldc + column;
                    if (rows == TILE && columns == WIDE) {
                        DoubleTiles.subtract(k, aPack, row * k, bPack, column * k, c, to, ldc);
                    } else {
                        edge(rows, columns, row * k, column * k, to);
                    }
                }
            }
        }

        private void edge(int rows, int columns, int aAt, int bAt, int to) {
            double[] tile = EDGE.get();
            for (int i = 0; i < rows; i++) {
                System.arraycopy(c, to + i * ldc, tile, i * WIDE, columns);
            }
            DoubleTiles.subtract(k, aPack, aAt, bPack, bAt, tile, 0, WIDE);
            for (int i = 0; i < rows; i++) {
                System.arraycopy(tile, i * WIDE, c, to + i * ldc, columns);
            }
        }
    }
}
