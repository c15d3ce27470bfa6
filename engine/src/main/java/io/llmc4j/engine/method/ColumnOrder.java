package io.llmc4j.engine.method;

import java.util.Arrays;

/**
 * The order in which the columns of a weight are rounded.
 *
 * @param order     column at each place
 * @param quantized columns rounded, the first ones of {@code order}; those after them are kept
 */
public record ColumnOrder(int[] order, int quantized) {

    public static ColumnOrder natural(int n) {
        int[] order = new int[n];
        Arrays.setAll(order, i -> i);
        return new ColumnOrder(order, n);
    }

    /** Falling by value, equal ones in their own order. */
    public static ColumnOrder falling(float[] diagonal) {
        Integer[] boxed = new Integer[diagonal.length];
        Arrays.setAll(boxed, i -> i);
        Arrays.sort(boxed, (a, b) -> Float.compare(diagonal[b], diagonal[a]));
        return new ColumnOrder(Arrays.stream(boxed).mapToInt(i -> i).toArray(), diagonal.length);
    }

    /** The {@code kept} columns with the largest values go last, the largest first among them; the rest keep their order. */
    public static ColumnOrder keeping(float[] diagonal, int kept) {
        int[] falling = falling(diagonal).order;
        boolean[] isKept = new boolean[diagonal.length];
        for (int i = 0; i < kept; i++) {
            isKept[falling[i]] = true;
        }
        int[] order = new int[diagonal.length];
        int at = 0;
        for (int i = 0; i < order.length; i++) {
            if (!isKept[i]) {
                order[at++] = i;
            }
        }
        System.arraycopy(falling, 0, order, at, kept);
        return new ColumnOrder(order, at);
    }

    public boolean isNatural() {
        for (int i = 0; i < order.length; i++) {
            if (order[i] != i) {
                return false;
            }
        }
        return true;
    }

    public int[] quantizedColumns() {
        return Arrays.copyOf(order, quantized);
    }
}
