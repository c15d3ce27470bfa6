package io.llmc4j.engine.quant;

/**
 * How a tensor is cut into ranges that share one scale (spec of LLMC: 1.2).
 *
 * @param size group size, block edge or number of heads; 0 where the kind has no size
 */
public record Granularity(Kind kind, int size) {

    public enum Kind { PER_TENSOR, PER_CHANNEL, PER_TOKEN, PER_GROUP, PER_HEAD, PER_BLOCK }

    public static final Granularity PER_TENSOR = new Granularity(Kind.PER_TENSOR, 0);
    public static final Granularity PER_CHANNEL = new Granularity(Kind.PER_CHANNEL, 0);
    public static final Granularity PER_TOKEN = new Granularity(Kind.PER_TOKEN, 0);

    public Granularity {
        boolean sized = kind == Kind.PER_GROUP || kind == Kind.PER_HEAD || kind == Kind.PER_BLOCK;
        if (sized ? size <= 0 : size != 0) {
            throw new IllegalArgumentException(kind + " with size " + size);
        }
    }

    public static Granularity perGroup(int groupSize) {
        return new Granularity(Kind.PER_GROUP, groupSize);
    }

    public static Granularity perHead(int heads) {
        return new Granularity(Kind.PER_HEAD, heads);
    }

    public static Granularity perBlock(int edge) {
        return new Granularity(Kind.PER_BLOCK, edge);
    }
}
