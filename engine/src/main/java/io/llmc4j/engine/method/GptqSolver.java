package io.llmc4j.engine.method;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantParams;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;

/**
 * GPTQ's column loop (arXiv 2210.17323, algorithm 1; spec 3.4) on one weight: columns are rounded one after the other, and the error of each is
 * spread over those that are left. A pure function.
 *
 * <p>Errors are brought in as whole k-blocks of the product into all columns that are to come, and from the last whole one to the block at hand before that is
 * rounded: the sums, and so the bits, are those of one long product a block. Within the block, rows go in tiles with their columns contiguous, so that the rows lie
 * in the lanes. Rows are independent of each other, so tiles run in parallel.
 */
public final class GptqSolver {

    /** Rows of a tile: a block of 128 columns and its errors stay in the second-level cache. */
    private static final int TILE = 64;

    private final Quantizer quantizer;
    private final Quantizer perRow;
    private final int blockSize;
    private final boolean staticGroups;

    /**
     * @param blockSize    columns whose updates are gathered
     * @param staticGroups group parameters come from the weight as it was, not from the compensated one
     */
    public GptqSolver(Quantizer quantizer, boolean llmcCompatible, int blockSize, boolean staticGroups) {
        this.quantizer = quantizer;
        this.perRow = Quantizer.of(quantizer.scheme().withGranularity(Granularity.PER_CHANNEL), llmcCompatible);
        this.blockSize = blockSize;
        this.staticGroups = staticGroups;
    }

    /**
     * @param weight compensated, not rounded, columns in their own order: rounding it with {@code params} gives GPTQ's codes
     * @param params of each range: per group in the order of the columns' walk when groups are dynamic, else in the columns' own order
     */
    public record Solution(Matrix weight, QuantParams params) { }

    /**
     * @param w       [out, in], not changed
     * @param inverse of the layer's Hessian, with the order of the columns
     */
    public Solution solve(Matrix w, InverseHessian inverse) {
        return new Walk(w, inverse).run();
    }

    private final class Walk {

        private final int rows;
        private final int cols;
        private final int quantized;
        private final int[] order;
        private final float[] upper;
        private final boolean grouped;
        private final int groupSize;
        private final int groups;
        private final boolean dynamic;
        /** [out, in] in the order of the walk; columns of the blocks done so far hold what was rounded. */
        private final Matrix current;
        /** Minus the error of each column over its pivot. */
        private final Matrix errors;
        /** Columns, a number of whole k-blocks, whose errors have been brought into all columns that are not rounded. */
        private int gathered;
        private final boolean natural;
        private final QuantParams fixed;
        private final float[] scales;
        private final float[] zeros;

        Walk(Matrix w, InverseHessian inverse) {
            rows = w.rows();
            cols = w.cols();
            order = inverse.order().order();
            quantized = inverse.order().quantized();
            upper = inverse.upper().data();
            grouped = quantizer.scheme().granularity().kind() == Granularity.Kind.PER_GROUP;
            groupSize = grouped ? Math.min(quantizer.scheme().granularity().size(), cols) : cols;
            groups = cols / groupSize;
            dynamic = grouped && !staticGroups;
            current = new Matrix(rows, cols);
            errors = new Matrix(rows, cols);
            boolean[] dead = inverse.dead();
            natural = inverse.order().isNatural();
            boolean asItIs = natural;
            for (int c = 0; c < cols; c++) {
                asItIs &= !dead[c];
            }
            if (asItIs) {
                System.arraycopy(w.data(), 0, current.data(), 0, rows * cols);
            } else {
                for (int r = 0; r < rows; r++) {
                    for (int c = 0; c < cols; c++) {
                        current.data()[r * cols + c] = dead[order[c]] ? 0 : w.data()[r * cols + order[c]];
                    }
                }
            }
            // Kept columns do not stretch the range of a whole row.
            fixed = dynamic ? new QuantParams(new float[0]) : quantized < cols && !grouped ? perRow.params(columns(current, 0, quantized)) : quantizer.params(w);
            boolean symmetric = quantizer.scheme().symmetric();
            scales = dynamic ? new float[rows * groups] : fixed.scales();
            zeros = dynamic ? new float[symmetric ? 0 : rows * groups] : fixed.zeros();
            if (dynamic) {
                Arrays.fill(scales, 1f);
            }
        }

        private static Matrix columns(Matrix m, int from, int count) {
            Matrix out = new Matrix(m.rows(), count);
            for (int r = 0; r < m.rows(); r++) {
                System.arraycopy(m.data(), r * m.cols() + from, out.data(), r * count, count);
            }
            return out;
        }

        Solution run() {
            for (int from = 0; from < quantized; from += blockSize) {
                gather(from);
                block(from, Math.min(quantized, from + blockSize));
            }
            if (quantized < cols) {
                gather(quantized);
                spread(current, quantized, quantized, cols - quantized);
            }
            Matrix out = natural ? current : new Matrix(rows, cols);
            for (int r = 0; r < rows && out != current; r++) {
                for (int c = 0; c < cols; c++) {
                    out.data()[r * cols + order[c]] = current.data()[r * cols + c];
                }
            }
            return new Solution(out, dynamic ? new QuantParams(scales, zeros) : fixed);
        }

        /** Columns from {@code at} on take the errors of whole k-blocks of columns before it. */
        private void gather(int at) {
            for (; at - gathered >= Kernels.K_BLOCK; gathered += Kernels.K_BLOCK) {
                Kernels.get().gemmNN(rows, cols - at, Kernels.K_BLOCK, errors.data(), gathered, cols, upper, gathered * cols + at, cols, current.data(), at, cols,
                        true);
            }
        }

        /** Columns {@code at} to {@code at + count} of m, which have what is gathered, take the errors of the other columns before {@code before}. */
        private void spread(Matrix m, int before, int at, int count) {
            Kernels.get().gemmNN(rows, count, before - gathered, errors.data(), gathered, cols, upper, gathered * cols + at, cols, m.data(), m == current ? at : 0,
                    m.cols(), true);
        }

        private void block(int from, int to) {
            spread(current, from, from, to - from);
            // A group that begins here and ends beyond sees its far columns with the errors of earlier blocks, as everything in it.
            int reach = to;
            if (dynamic) {
                int lastStart = (to - 1) / groupSize * groupSize;
                reach = lastStart >= from ? Math.max(to, Math.min(lastStart + groupSize, quantized)) : to;
            }
            Matrix beyond = reach > to ? columns(current, to, reach - to) : new Matrix(rows, 0);
            if (reach > to) {
                spread(beyond, from, to, reach - to);
            }
            int width = to - from;
            float[] factor = new float[width * width];
            for (int k = 0; k < width; k++) {
                for (int c = k; c < width; c++) {
                    factor[c * width + k] = upper[(from + k) * cols + from + c];
                }
            }
            int tiles = (rows + TILE - 1) / TILE;
            Parallel.forEach(tiles, t -> new Tile(t * TILE, Math.min(rows, (t + 1) * TILE), from, to, factor, beyond).run());
        }

        /** Some rows of one block of columns, transposed. */
        private final class Tile {

            private final int firstRow;
            private final int n;
            private final int from;
            private final int width;
            /** The block of U, transposed: row c has what the columns before c bring to c. */
            private final float[] factor;
            private final Matrix beyond;
            /** [width][n] */
            private final float[] panel;
            private final float[] error;
            private final float[] tileScales;
            private final float[] tileZeros;

            Tile(int firstRow, int endRow, int from, int to, float[] factor, Matrix beyond) {
                this.firstRow = firstRow;
                this.n = endRow - firstRow;
                this.from = from;
                this.width = to - from;
                this.factor = factor;
                this.beyond = beyond;
                this.panel = new float[width * n];
                this.error = new float[width * n];
                this.tileScales = new float[n];
                this.tileZeros = new float[zeros.length == 0 ? 0 : n];
                for (int r = 0; r < n; r++) {
                    for (int c = 0; c < width; c++) {
                        panel[c * n + r] = current.data()[(firstRow + r) * cols + from + c];
                    }
                }
            }

            void run() {
                Kernels kernels = Kernels.get();
                float[] rounded = new float[n];
                int loaded = -1;
                for (int c = 0; c < width; c++) {
                    int group = group(from + c);
                    if (dynamic && (from + c) % groupSize == 0) {
                        findGroup(from + c);
                    }
                    if (group != loaded) {
                        load(group);
                        loaded = group;
                    }
                    int at = c * n;
                    kernels.subtractProducts(n, c, factor, c * width, error, 0, n, panel, at);
                    quantizer.fakeQuantizeColumn(n, panel, at, tileScales, tileZeros, rounded, 0);
                    float pivot = factor[c * width + c];
                    for (int r = 0; r < n; r++) {
                        error[at + r] = (panel[at + r] - rounded[r]) / pivot;
                    }
                }
                for (int r = 0; r < n; r++) {
                    int row = (firstRow + r) * cols + from;
                    for (int c = 0; c < width; c++) {
                        current.data()[row + c] = panel[c * n + r];
                        errors.data()[row + c] = -error[c * n + r];
                    }
                }
            }

            /** The range that a column of the walk belongs to, within a row. */
            private int group(int column) {
                if (!grouped) {
                    return 0;
                }
                return (dynamic ? column : order[column]) / groupSize;
            }

            /** Ranges from the columns of the group as they were when the block began. */
            private void findGroup(int column) {
                int end = Math.min(column + groupSize, quantized);
                Matrix m = new Matrix(n, end - column);
                for (int r = 0; r < n; r++) {
                    for (int c = column; c < end; c++) {
                        m.data()[r * m.cols() + c - column] = c < from + width ? current.data()[(firstRow + r) * cols + c]
                                : beyond.data()[(firstRow + r) * beyond.cols() + c - from - width];
                    }
                }
                QuantParams p = perRow.params(m);
                for (int r = 0; r < n; r++) {
                    scales[(firstRow + r) * groups + column / groupSize] = p.scale(r);
                    if (zeros.length > 0) {
                        zeros[(firstRow + r) * groups + column / groupSize] = p.zero(r);
                    }
                }
            }

            private void load(int group) {
                boolean one = scales.length == 1;
                for (int r = 0; r < n; r++) {
                    int range = one ? 0 : (firstRow + r) * (grouped ? groups : 1) + group;
                    tileScales[r] = dynamic ? scales[range] : fixed.scale(range);
                    if (zeros.length > 0) {
                        tileZeros[r] = zeros[range];
                    }
                }
            }
        }
    }
}
