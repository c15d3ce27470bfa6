package io.llmc4j.engine.quant;

import io.llmc4j.engine.tensor.Matrix;
import java.util.Optional;

/** The ways a weight becomes codes, beyond those that a method brings itself. */
public final class WeightRoundings {

    private WeightRoundings() {
    }

    /** Ranges from the weight at hand. */
    public static WeightRounding dynamic(Quantizer quantizer) {
        return new Plain(quantizer, new Ranges.Own());
    }

    /** Stored ranges (GPTQ, mse found once, …), in the order of {@link RangeLayout}. */
    public static WeightRounding stored(Quantizer quantizer, QuantParams params) {
        return new Plain(quantizer, new Ranges.Stored(params));
    }

    /** Ranges from the weight at hand, clipped by learnt factors. */
    public static WeightRounding clipped(Quantizer quantizer, ClipFactors factors) {
        return new Plain(quantizer, new Ranges.Clipped(factors));
    }

    /**
     * Groups over columns in another order (act-order): group g holds the columns {@code order[g * size .. (g + 1) * size - 1]}; parameters
     * are in that order.
     */
    public static WeightRounding permuted(Quantizer quantizer, int[] order, QuantParams params) {
        return new Permuted(quantizer, order.clone(), new Ranges.Stored(params));
    }

    /** As {@link #permuted(Quantizer, int[], QuantParams)}, with ranges from the weight at hand. */
    public static WeightRounding permuted(Quantizer quantizer, int[] order) {
        return new Permuted(quantizer, order.clone(), new Ranges.Own());
    }

    /**
     * Only the columns {@code quantized}, in that order, are quantized, ranges over them alone; all others stay as they are. Per group their
     * number must be a multiple of the group size (BadInput).
     */
    public static WeightRounding keepingColumns(Quantizer quantizer, int[] quantized) {
        return new Keeping(quantizer, quantized.clone(), new Ranges.Own());
    }

    /** As {@link #keepingColumns(Quantizer, int[])} with stored parameters of the quantized columns. */
    public static WeightRounding keepingColumns(Quantizer quantizer, int[] quantized, QuantParams params) {
        return new Keeping(quantizer, quantized.clone(), new Ranges.Stored(params));
    }

    /** Quantizes the transpose [in, out], so that ranges lie along output channels ({@code dim} "ic"). */
    public static WeightRounding perInputChannel(Quantizer quantizer) {
        return new Transposed(quantizer, new Ranges.Own());
    }

    /** As {@link #perInputChannel(Quantizer)} with stored parameters of the transpose. */
    public static WeightRounding perInputChannel(Quantizer quantizer, QuantParams params) {
        return new Transposed(quantizer, new Ranges.Stored(params));
    }

    /** Where the ranges come from. */
    private sealed interface Ranges {
        record Own() implements Ranges { }

        record Stored(QuantParams params) implements Ranges { }

        record Clipped(ClipFactors factors) implements Ranges { }

        default Matrix fakeQuantize(Quantizer q, Matrix w) {
            return switch (this) {
                case Own o -> q.fakeQuantize(w);
                case Stored s -> q.fakeQuantize(w, s.params);
                case Clipped c -> q.fakeQuantize(w, c.factors.params(q, w));
            };
        }

        default QuantizedMatrix quantize(Quantizer q, Matrix w) {
            return switch (this) {
                case Own o -> q.quantize(w);
                case Stored s -> q.quantize(w, s.params);
                case Clipped c -> q.quantize(w, c.factors.params(q, w));
            };
        }
    }

    private record Plain(Quantizer quantizer, Ranges ranges) implements WeightRounding {

        @Override
        public Matrix fakeQuantize(Matrix weight) {
            return ranges.fakeQuantize(quantizer, weight);
        }

        @Override
        public Optional<QuantizedMatrix> codes(Matrix weight) {
            return whyNoCodes().isEmpty() ? Optional.of(ranges.quantize(quantizer, weight)) : Optional.empty();
        }

        /** An integer with an integer zero point: both ways subtract and multiply the same numbers. */
        @Override
        public Optional<Matrix> fakeOf(QuantizedMatrix codes) {
            return ranges instanceof Ranges.Own && quantizer instanceof GridQuantizer && quantizer.scheme().format() instanceof NumberFormat.Int
                    && quantizer.scheme().roundZeroPoint() && quantizer.scheme().range() instanceof RangeRule.MinMax ? Optional.of(codes.dequantize()) : Optional.empty();
        }

        @Override
        public String whyNoCodes() {
            return quantizer.whyNoCodes();
        }
    }

    private record Permuted(Quantizer quantizer, int[] order, Ranges ranges) implements WeightRounding {

        @Override
        public Matrix fakeQuantize(Matrix weight) {
            Matrix out = new Matrix(weight.rows(), weight.cols());
            Columns.scatter(ranges.fakeQuantize(quantizer, Columns.gather(weight, order)), order, out);
            return out;
        }

        @Override
        public Optional<QuantizedMatrix> codes(Matrix weight) {
            if (!whyNoCodes().isEmpty()) {
                return Optional.empty();
            }
            QuantizedMatrix q = ranges.quantize(quantizer, Columns.gather(weight, order));
            int cols = weight.cols();
            byte[] codes = new byte[q.codes().length];
            for (int r = 0; r < weight.rows(); r++) {
                for (int j = 0; j < cols; j++) {
                    codes[r * cols + order[j]] = q.codes()[r * cols + j];
                }
            }
            int[] groups = new int[0];
            if (quantizer.scheme().granularity().kind() == Granularity.Kind.PER_GROUP && q.groups() > 1) {
                groups = new int[cols];
                int size = cols / q.groups();
                for (int j = 0; j < cols; j++) {
                    groups[order[j]] = j / size;
                }
            }
            return Optional.of(new QuantizedMatrix(q.scheme(), q.rows(), cols, codes, q.scales(), q.zeros(), groups, q.tensorScale()));
        }

        @Override
        public String whyNoCodes() {
            Granularity.Kind kind = quantizer.scheme().granularity().kind();
            return kind == Granularity.Kind.PER_HEAD || kind == Granularity.Kind.PER_BLOCK
                    ? "reordered columns have no codes with granularity " + kind : quantizer.whyNoCodes();
        }
    }

    private record Keeping(Quantizer quantizer, int[] quantized, Ranges ranges) implements WeightRounding {

        @Override
        public Matrix fakeQuantize(Matrix weight) {
            Matrix out = weight.copy();
            Columns.scatter(ranges.fakeQuantize(quantizer, Columns.gather(weight, quantized)), quantized, out);
            return out;
        }

        @Override
        public Optional<QuantizedMatrix> codes(Matrix weight) {
            return Optional.empty();
        }

        /** Kept columns take 16 bits a weight. */
        @Override
        public long bitsBeside(Matrix weight) {
            return (long) (weight.cols() - quantized.length) * weight.rows() * (16 - quantizer.scheme().bits());
        }

        @Override
        public String whyNoCodes() {
            return "some input channels stay in high precision, which a matrix of codes cannot hold";
        }
    }

    private record Transposed(Quantizer quantizer, Ranges ranges) implements WeightRounding {

        @Override
        public Matrix fakeQuantize(Matrix weight) {
            return ranges.fakeQuantize(quantizer, weight.transpose()).transpose();
        }

        @Override
        public Optional<QuantizedMatrix> codes(Matrix weight) {
            return Optional.empty();
        }

        @Override
        public String whyNoCodes() {
            return "ranges of input channels lie across the rows, which a matrix of codes cannot hold";
        }
    }
}
