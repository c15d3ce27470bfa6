package io.llmc4j.engine.quant.packing;

/** How many lines (rows or columns) make a parallel task. */
final class Lines {

    private static final int TASK = 1 << 15;

    private Lines() {
    }

    static int grain(int length) {
        return Math.max(1, TASK / Math.max(1, length));
    }
}
