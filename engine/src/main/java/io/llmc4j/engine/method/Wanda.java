package io.llmc4j.engine.method;

import io.llmc4j.engine.calibrate.Inputs;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.tensor.Matrix;
import java.util.List;

/**
 * Wanda (arXiv 2306.11695; spec 4.2): of each row, the weights with the smallest |w| times norm of the input feature become zero; with a pattern
 * n:m, of each m consecutive ones. The norm is over all calibration data; under {@code compat: llmc} over the first logical batch (ODD-77), which with
 * {@code bs: -1} is the same.
 */
public final class Wanda implements Method {

    @Override
    public String name() {
        return "Wanda";
    }

    @Override
    public MethodInfo info() {
        return new MethodInfo("pruning: of each row, the weights with the smallest |w| times norm of the input become zero", "arXiv 2306.11695",
                MethodInfo.Data.ALWAYS);
    }

    @Override
    public List<Stage> recipe(MethodOptions options) {
        return List.of(new ByActivation(Sparsity.of(options)));
    }

    private record ByActivation(Sparsity sparsity) implements Keep {

        @Override
        public String name() {
            return "Wanda pruning";
        }

        @Override
        public Needs needs() {
            return Needs.of(Need.INPUTS);
        }

        @Override
        public void apply(BlockWork work) {
            for (Subset subset : work.block().subsets()) {
                float[] norms = norms(work.inputs(subset), work.llmcCompatible());
                for (String name : subset.layers()) {
                    Linear layer = work.block().linear(name);
                    if (!layer.role().isRouter()) {
                        sparsity.pruneRows(layer.weight(), norms);
                        work.weightChanged(layer);
                        work.note(layer, sparsity.describe(layer.weight()));
                    }
                }
            }
        }
    }

    /**
     * Euclidean norm of each feature over the tokens; all ones when there is no token (then |w| alone decides).
     *
     * @param firstBatchOnly only those of the first logical batch
     */
    public static float[] norms(Inputs inputs, boolean firstBatchOnly) {
        double[] squares = new double[inputs.features()];
        for (int c = 0; c < inputs.chunks() && (!firstBatchOnly || inputs.batchOf(c) == inputs.batchOf(0)); c++) {
            Matrix x = inputs.chunk(c).data();
            for (int r = 0; r < x.rows(); r++) {
                int at = r * x.cols();
                for (int j = 0; j < squares.length; j++) {
                    squares[j] += (double) x.data()[at + j] * x.data()[at + j];
                }
            }
        }
        float[] out = new float[squares.length];
        for (int j = 0; j < out.length; j++) {
            out[j] = inputs.chunks() == 0 ? 1f : (float) Math.sqrt(squares[j]);
        }
        return out;
    }
}
