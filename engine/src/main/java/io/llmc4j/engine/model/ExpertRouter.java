package io.llmc4j.engine.model;

import io.llmc4j.engine.kernel.FloatMath;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;

/** Which experts see a token, and with which weight. Among equal scores the lower index wins. */
final class ExpertRouter {

    /** @param weights [tokens, experts], 0 where not chosen; @param chosen the same, whether chosen (a chosen weight may be 0) */
    record Choice(Matrix weights, boolean[] chosen) {

        /** Tokens of one expert, in order. */
        int[] rowsOf(int expert) {
            int[] rows = new int[weights.rows()];
            int n = 0;
            for (int r = 0; r < weights.rows(); r++) {
                if (chosen[r * weights.cols() + expert]) {
                    rows[n++] = r;
                }
            }
            return Arrays.copyOf(rows, n);
        }

        /** Experts of one token, by index. */
        int[] expertsOf(int row) {
            int n = weights.cols();
            return java.util.stream.IntStream.range(0, n).filter(e -> chosen[row * n + e]).toArray();
        }

        float weight(int row, int expert) {
            return weights.get(row, expert);
        }
    }

    private ExpertRouter() {
    }

    /**
     * @param logits     [tokens, experts]
     * @param correction added to the scores for the choice only, [experts] or length 0
     */
    static Choice choose(Matrix logits, FeedForwardSpec.Experts spec, float[] correction) {
        int n = spec.count();
        Matrix weights = new Matrix(logits.rows(), n);
        boolean[] chosen = new boolean[logits.rows() * n];
        float[] scores = new float[n];
        float[] ranking = new float[n];
        for (int r = 0; r < logits.rows(); r++) {
            System.arraycopy(logits.data(), r * n, scores, 0, n);
            score(scores, spec.scoring());
            for (int e = 0; e < n; e++) {
                ranking[e] = correction.length == 0 ? scores[e] : scores[e] + correction[e];
            }
            keepGroups(ranking, spec);
            int[] top = largest(ranking, spec.perToken());
            weigh(scores, top, spec, weights, r);
            for (int e : top) {
                chosen[r * n + e] = true;
            }
        }
        return new Choice(weights, chosen);
    }

    private static void score(float[] x, FeedForwardSpec.Experts.Scoring scoring) {
        switch (scoring) {
            case SOFTMAX -> Kernels.get().softmax(x.length, x, 0);
            case SIGMOID -> {
                for (int i = 0; i < x.length; i++) {
                    x[i] = FloatMath.sigmoid(x[i]);
                }
            }
            case SOFTMAX_OF_CHOSEN -> {
                // The logits themselves rank; their softmax is taken over the chosen ones.
            }
        }
    }

    private static void keepGroups(float[] ranking, FeedForwardSpec.Experts spec) {
        if (spec.groups() <= 1) {
            return;
        }
        int size = spec.count() / spec.groups();
        float[] groupScore = new float[spec.groups()];
        for (int g = 0; g < spec.groups(); g++) {
            float[] members = Arrays.copyOfRange(ranking, g * size, (g + 1) * size);
            Arrays.sort(members);
            groupScore[g] = switch (spec.groupScoring()) {
                case MAX -> members[size - 1];
                case SUM_OF_TOP_TWO -> size == 1 ? members[0] : members[size - 1] + members[size - 2];
            };
        }
        boolean[] kept = new boolean[spec.groups()];
        for (int g : largest(groupScore, spec.topGroups())) {
            kept[g] = true;
        }
        for (int e = 0; e < ranking.length; e++) {
            if (!kept[e / size]) {
                ranking[e] = Float.NEGATIVE_INFINITY;
            }
        }
    }

    private static void weigh(float[] scores, int[] top, FeedForwardSpec.Experts spec, Matrix weights, int row) {
        float[] w = new float[top.length];
        for (int i = 0; i < w.length; i++) {
            w[i] = scores[top[i]];
        }
        if (spec.scoring() == FeedForwardSpec.Experts.Scoring.SOFTMAX_OF_CHOSEN) {
            Kernels.get().softmax(w.length, w, 0);
        }
        if (spec.normalize()) {
            float sum = 0;
            for (float v : w) {
                sum += v;
            }
            for (int i = 0; i < w.length; i++) {
                w[i] /= sum + 1e-20f;
            }
        }
        for (int i = 0; i < w.length; i++) {
            weights.set(row, top[i], w[i] * spec.scaling());
        }
    }

    /** Indices of the k largest values, the largest first. */
    private static int[] largest(float[] x, int k) {
        int[] top = new int[k];
        boolean[] taken = new boolean[x.length];
        for (int i = 0; i < k; i++) {
            int best = -1;
            for (int j = 0; j < x.length; j++) {
                if (!taken[j] && (best < 0 || x[j] > x[best])) {
                    best = j;
                }
            }
            taken[best] = true;
            top[i] = best;
        }
        return top;
    }
}
