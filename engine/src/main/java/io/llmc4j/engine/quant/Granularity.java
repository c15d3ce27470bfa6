package io.llmc4j.engine.quant;

/**
 * How a tensor is cut into ranges that share one scale (spec of LLMC: 1.2).
 *
 * @param size  group size, rows of a block or number of heads; 0 where the kind has no size
 * @param width columns of a block; 0 for other kinds
 */
public record Granularity(Kind kind, int size, int width) implements java.io.Serializable {

    public enum Kind { PER_TENSOR, PER_CHANNEL, PER_TOKEN, PER_GROUP, PER_HEAD, PER_BLOCK }

    public static final Granularity PER_TENSOR = new Granularity(Kind.PER_TENSOR, 0);
    public static final Granularity PER_CHANNEL = new Granularity(Kind.PER_CHANNEL, 0);
    public static final Granularity PER_TOKEN = new Granularity(Kind.PER_TOKEN, 0);

    public Granularity {
        boolean sized = kind == Kind.PER_GROUP || kind == Kind.PER_HEAD || kind == Kind.PER_BLOCK;
        if ((sized ? size <= 0 : size != 0) || (kind == Kind.PER_BLOCK ? width <= 0 : width != 0)) {
            throw new IllegalArgumentException(kind + " with size " + size + " and width " + width);
        }
    }

    public Granularity(Kind kind, int size) {
        this(kind, size, kind == Kind.PER_BLOCK ? size : 0);
    }

    public static Granularity perGroup(int groupSize) {
        return new Granularity(Kind.PER_GROUP, groupSize);
    }

    public static Granularity perHead(int heads) {
        return new Granularity(Kind.PER_HEAD, heads);
    }

    /** Square blocks; those at the right and lower edge of a matrix may be smaller. */
    public static Granularity perBlock(int edge) {
        return perBlock(edge, edge);
    }

    public static Granularity perBlock(int rows, int cols) {
        return new Granularity(Kind.PER_BLOCK, rows, cols);
    }
}
