package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.Inputs;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/**
 * ShortGPT (arXiv 2403.03853; spec 4.3): the blocks that change their input least are left out. The influence of a block is the sum over tokens of
 * 1 - cos(input, output), over all calibration data; under {@code compat: llmc} over the first logical batch (ODD-77).
 */
public final class ShortGpt implements Method {

    @Override
    public String name() {
        return "ShortGPT";
    }

    @Override
    public MethodInfo info() {
        return new MethodInfo("pruning: the blocks that change their input least are left out", "arXiv 2403.03853", MethodInfo.Data.ALWAYS);
    }

    @Override
    public List<Stage> recipe(MethodOptions options) {
        int n = options.integer("n_prune_layers", 1);
        if (n < 0) {
            throw BadInput.of(BadInput.Common.CONFIG, "n_prune_layers is %d; it may not be negative", n);
        }
        return List.of(new LeastInfluence(n));
    }

    /**
     * Sum over tokens of 1 - cos(x, y); a cosine that is not a number counts as one half.
     *
     * @param firstBatchOnly only the tokens of the first logical batch
     */
    public static double influence(Inputs in, Inputs out, boolean firstBatchOnly) {
        double sum = 0;
        for (int c = 0; c < in.chunks() && (!firstBatchOnly || in.batchOf(c) == in.batchOf(0)); c++) {
            Matrix x = in.chunk(c).data();
            Matrix y = out.chunk(c).data();
            for (int r = 0; r < x.rows(); r++) {
                sum += 1 - cosine(x, y, r);
            }
        }
        return sum;
    }

    private static double cosine(Matrix x, Matrix y, int row) {
        double xy = 0;
        double xx = 0;
        double yy = 0;
        for (int i = row * x.cols(); i < (row + 1) * x.cols(); i++) {
            double a = x.data()[i];
            double b = y.data()[i];
            xy += a * b;
            xx += a * a;
            yy += b * b;
        }
        double cos = xy / (Math.sqrt(xx) * Math.sqrt(yy));
        return Double.isNaN(cos) ? 0.5 : cos;
    }

    /** The indices of the n smallest influences (equal ones: the earlier first), in order. */
    public static int[] leastInfluential(double[] influence, int n) {
        Integer[] order = IntStream.range(0, influence.length).boxed().toArray(Integer[]::new);
        Arrays.sort(order, (a, b) -> Double.compare(influence[a], influence[b]));
        return Arrays.stream(order, 0, n).mapToInt(Integer::intValue).sorted().toArray();
    }

    private record LeastInfluence(int n) implements Keep {

        @Override
        public String name() {
            return "ShortGPT";
        }

        @Override
        public void prepare(ModelWork model) {
            int blocks = model.spec().blocks();
            if (n >= blocks) {
                throw BadInput.of(BadInput.Common.CONFIG, "n_prune_layers is %d and the model has %d blocks; at least one has to stay", n, blocks);
            }
            double[] influence = new double[blocks];
            model.forEachBlock(new ModelWork.Visitor() {
                @Override
                public void after(Block block, Inputs inputs, Inputs outputs) {
                    influence[block.index()] = influence(inputs, outputs, model.config().llmcCompatible());
                }
            });
            for (int index : leastInfluential(influence, n)) {
                model.drop(index);
                model.note(String.format(Locale.ROOT, "block %d is left out: influence %.6g", index, influence[index]));
            }
        }

        @Override
        public void apply(BlockWork work) {
            // The decision was made before the first block.
        }
    }
}
