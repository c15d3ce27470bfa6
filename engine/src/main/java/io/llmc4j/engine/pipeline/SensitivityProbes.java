package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.calibrate.StateStore;
import io.llmc4j.engine.calibrate.StoredInputs;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;

/**
 * A few samples that flow through the model once as they are and once more for each group of layers, with that group rounded and all else float. At the
 * end, how far predictions moved: the Kullback-Leibler divergence of the next token from the float model's, in nats, the mean over tokens. That is what
 * rounding the group adds to the loss, on text that the model predicts as well as it can.
 *
 * <p>All streams go through a block while it is in memory, so no block is read twice.
 */
final class SensitivityProbes {

    /** Enough to tell layers apart; more would cost as much as calibration. */
    private static final int TOKENS = 1024;

    private final Decoder decoder;
    private final ModelEnds ends;
    private StoredInputs in;
    private StoredInputs out;

    SensitivityProbes(Decoder decoder, ModelEnds ends, CalibrationSet calibration, StateStore store) {
        this.decoder = decoder;
        this.ends = ends;
        this.in = new StoredInputs(store.states("probes"), decoder.spec().hiddenSize());
        this.out = new StoredInputs(store.states("probes"), decoder.spec().hiddenSize());
        int[][] all = calibration.samples();
        int length = Arrays.stream(all).mapToInt(s -> s.length).min().orElse(1);
        int count = Math.clamp(TOKENS / length, 1, all.length);
        int[][] ids = new int[count][];
        for (int i = 0; i < count; i++) {
            ids[i] = Arrays.copyOf(all[(int) ((long) i * all.length / count)], Math.min(length, TOKENS));
        }
        in.add(count, decoder.embed(ends, ids));
    }

    /** Everything that is under way goes through the block, the first stream as it is. */
    void through(Passes passes, Block block) {
        passes.run(block, in, out, ForwardHooks.NONE);
    }

    /** A new stream: the float model's up to this block, and the block as it is now. */
    void start(Block block) {
        out.add(in.batchOf(0), decoder.block(block, in.chunk(0), ForwardHooks.NONE));
    }

    /** The next block is to come. */
    void next() {
        StoredInputs swap = in;
        in = out;
        out = swap;
        // It has fewer streams, and all of them are replaced.
    }

    /** One for each stream that was started, in order. */
    double[] losses() {
        double[] sums = new double[in.chunks() - 1];
        Hidden plain = in.chunk(0);
        // Sequence by sequence: logits of all tokens may be large.
        for (int b = 0; b < plain.batch(); b++) {
            Matrix expected = logits(plain, b);
            for (int i = 0; i < sums.length; i++) {
                sums[i] += divergence(expected, logits(in.chunk(i + 1), b));
            }
        }
        for (int i = 0; i < sums.length; i++) {
            sums[i] /= (double) plain.batch() * plain.tokens();
        }
        return sums;
    }

    private Matrix logits(Hidden h, int sample) {
        int size = h.tokens() * h.data().cols();
        Matrix one = new Matrix(h.tokens(), h.data().cols(), Arrays.copyOfRange(h.data().data(), sample * size, (sample + 1) * size));
        return decoder.logits(ends, new Hidden(1, h.tokens(), one));
    }

    /** Sum over rows of sum p (log p - log q). */
    private static double divergence(Matrix expected, Matrix found) {
        double[] rows = new double[expected.rows()];
        int n = expected.cols();
        Parallel.forRange(rows.length, (r0, r1) -> {
            for (int r = r0; r < r1; r++) {
                double p = Kernels.get().logSumExp(n, expected.data(), r * n);
                double q = Kernels.get().logSumExp(n, found.data(), r * n);
                for (int j = 0; j < n; j++) {
                    double log = expected.get(r, j) - p;
                    rows[r] += StrictMath.exp(log) * (log - (found.get(r, j) - q));
                }
            }
        });
        return Arrays.stream(rows).sum();
    }
}
