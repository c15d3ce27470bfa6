package io.llmc4j.formats.audit;

import io.llmc4j.engine.calibrate.SpillingStateStore;
import io.llmc4j.engine.calibrate.StateStore;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.pipeline.ModelSource;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.tensor.Matrix;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Both models read the same text, block by block beside each other; weights are decoded, inputs of layers are not rounded. */
final class SideBySide {

    /** A block at which the relative difference grows this many times … */
    private static final double JUMP = 3;
    /** … to at least this, is where the states part. */
    private static final double PARTED = 0.1;
    /** States that differ by more than they agree. */
    private static final double LOST = 0.7;

    private final ModelSource original;
    private final ModelSource quantized;
    private final Evaluation text;
    private final Optional<StreamTurn> turn;
    private final Audit.Listener listener;
    private final int together;

    /** @param turn what turned the quantized model's residual stream: its states are compared with the original's turned likewise */
    SideBySide(ModelSource original, ModelSource quantized, Evaluation text, Optional<StreamTurn> turn, Audit.Listener listener) {
        this.turn = turn;
        this.original = original;
        this.quantized = quantized;
        this.text = text;
        this.listener = listener;
        this.together = Math.max(1, RunConfig.Memory.DEFAULT.chunkTokens() / text.seqLen());
    }

    private int chunks() {
        return (text.windows().length + together - 1) / together;
    }

    private int[][] ids(int chunk) {
        return Arrays.copyOfRange(text.windows(), chunk * together, Math.min(text.windows().length, (chunk + 1) * together));
    }

    DataAudit run() {
        Decoder left = new Decoder(original.spec());
        Decoder right = new Decoder(quantized.spec());
        int blocks = original.spec().blocks();
        try (StateStore store = new SpillingStateStore(RunConfig.Memory.DEFAULT.stateBytes(), Path.of(System.getProperty("java.io.tmpdir")));
             StateStore.States a = store.states("original");
             StateStore.States b = store.states("quantized")) {
            for (int c = 0; c < chunks(); c++) {
                a.put(c, left.embed(original.ends(), ids(c)));
                b.put(c, right.embed(quantized.ends(), ids(c)));
            }
            List<Double> errors = new ArrayList<>();
            for (int i = 0; i < blocks; i++) {
                listener.at("reading, block " + (i + 1) + " of " + blocks, i, blocks);
                errors.add(block(left, original.block(i), a, right, other(i), b));
            }
            listener.at("comparing next tokens", blocks, blocks);
            Next next = next(left, a, right, b);
            double n = (double) text.windows().length * (text.seqLen() - 1);
            return new DataAudit(text.name(), text.windows().length, text.seqLen(), StrictMath.exp(next.lossLeft / n), StrictMath.exp(next.lossRight / n),
                    next.agree / (double) text.tokens(), next.divergence / text.tokens(), errors, parting(errors));
        }
    }

    private Block other(int i) {
        return turn.map(t -> t.withTransforms(quantized.block(i), original.block(i))).orElseGet(() -> quantized.block(i));
    }

    private double block(Decoder left, Block x, StateStore.States a, Decoder right, Block y, StateStore.States b) {
        double error = 0;
        double signal = 0;
        for (int c = 0; c < chunks(); c++) {
            Hidden h = left.block(x, a.get(c), ForwardHooks.NONE);
            Hidden k = right.block(y, b.get(c), ForwardHooks.NONE);
            a.put(c, h);
            b.put(c, k);
            float[] u = turn.map(t -> t.states(h.data())).orElse(h.data()).data();
            float[] v = k.data().data();
            for (int i = 0; i < u.length; i++) {
                double d = (double) v[i] - u[i];
                error += d * d;
                signal += (double) u[i] * u[i];
            }
        }
        return error == 0 ? 0 : Math.sqrt(error / signal);
    }

    private static int parting(List<Double> errors) {
        for (int i = 0; i < errors.size(); i++) {
            double e = errors.get(i);
            boolean jump = e > PARTED && (i == 0 ? e > LOST : e > JUMP * errors.get(i - 1));
            if (jump || !(e <= LOST)) {
                return i;
            }
        }
        return -1;
    }

    private static final class Next {
        double lossLeft;
        double lossRight;
        double divergence;
        long agree;
    }

    private Next next(Decoder left, StateStore.States a, Decoder right, StateStore.States b) {
        Next next = new Next();
        ModelEnds x = original.ends();
        ModelEnds y = quantized.ends();
        for (int c = 0; c < chunks(); c++) {
            int[][] ids = ids(c);
            Hidden h = a.get(c);
            Hidden k = b.get(c);
            // Sequence by sequence: logits of a whole chunk may be large.
            for (int s = 0; s < h.batch(); s++) {
                Matrix p = left.logits(x, sequence(h, s));
                Matrix q = right.logits(y, sequence(k, s));
                for (int t = 0; t < p.rows(); t++) {
                    token(p, q, t, t + 1 < p.rows() ? ids[s][t + 1] : -1, next);
                }
            }
        }
        return next;
    }

    private static Hidden sequence(Hidden h, int s) {
        return new Hidden(1, h.tokens(), h.data().rows(s * h.tokens(), (s + 1) * h.tokens()));
    }

    private static void token(Matrix p, Matrix q, int t, int following, Next next) {
        int n = p.cols();
        double logP = logSum(p.data(), t * n, n);
        double logQ = logSum(q.data(), t * n, n);
        int bestP = 0;
        int bestQ = 0;
        double divergence = 0;
        for (int j = 0; j < n; j++) {
            float u = p.data()[t * n + j];
            float v = q.data()[t * n + j];
            bestP = u > p.data()[t * n + bestP] ? j : bestP;
            bestQ = v > q.data()[t * n + bestQ] ? j : bestQ;
            double lp = u - logP;
            divergence += StrictMath.exp(lp) * (lp - (v - logQ));
        }
        next.divergence += divergence;
        next.agree += bestP == bestQ ? 1 : 0;
        if (following >= 0) {
            next.lossLeft += logP - p.data()[t * n + following];
            next.lossRight += logQ - q.data()[t * n + following];
        }
    }

    private static double logSum(float[] x, int at, int n) {
        double max = Double.NEGATIVE_INFINITY;
        for (int j = 0; j < n; j++) {
            max = Math.max(max, x[at + j]);
        }
        double sum = 0;
        for (int j = 0; j < n; j++) {
            sum += StrictMath.exp(x[at + j] - max);
        }
        return max + StrictMath.log(sum);
    }

    /** What the numbers mean. */
    static List<Finding> findings(DataAudit d) {
        List<Finding> out = new ArrayList<>();
        if (!Double.isFinite(d.quantized()) || d.quantized() > 10 * d.perplexity()) {
            out.add(Finding.fault(Finding.Rule.DATA, "", "perplexity %.3f became %.3f: the model is broken", d.perplexity(), d.quantized()));
        } else if (d.quantized() > 1.5 * d.perplexity()) {
            out.add(Finding.warning(Finding.Rule.DATA, "", "perplexity %.3f became %.3f", d.perplexity(), d.quantized()));
        }
        if (d.parting() >= 0) {
            out.add(Finding.warning(Finding.Rule.DATA, "block " + d.parting(), "the hidden states part here: relative difference %.3f", d.blockErrors().get(d.parting())));
        }
        return out;
    }
}
