package io.llmc4j.tornado;

import io.llmc4j.engine.kernel.Kernels;
import java.util.Optional;

/**
 * How a product is cut so that each part fits on the device: rows and columns of C at multiples of the tile, and sums only where the definition adds
 * block sums anyway, so that cutting changes no bit.
 *
 * @param rows  of C at a time
 * @param cols  of C at a time
 * @param depth of the sums at a time
 */
public record PanelPlan(int rows, int cols, int depth) {

    /** Sides of panels are multiples of this, but for the last. */
    static final int TILE = 64;

    /** Empty: not even the smallest panel fits. */
    public static Optional<PanelPlan> of(int m, int n, int k, BufferBudget budget) {
        int rows = m;
        int cols = n;
        int depth = k;
        while (!budget.bears((long) rows * depth, (long) cols * depth, (long) rows * cols)) {
            if (rows <= TILE && cols <= TILE && depth <= Kernels.K_BLOCK) {
                return Optional.empty();
            }
            // Short sums before narrow panels would send C to and fro; narrow panels send A or B again.
            if (rows >= cols && rows > TILE) {
                rows = half(rows, TILE);
            } else if (cols > TILE) {
                cols = half(cols, TILE);
            } else {
                depth = half(depth, Kernels.K_BLOCK);
            }
        }
        return Optional.of(new PanelPlan(rows, cols, depth));
    }

    private static int half(int size, int step) {
        return Math.max(step, (size / 2 + step - 1) / step * step);
    }

    public int panels(int m, int n, int k) {
        return ((m + rows - 1) / rows) * ((n + cols - 1) / cols) * ((k + depth - 1) / depth);
    }
}
