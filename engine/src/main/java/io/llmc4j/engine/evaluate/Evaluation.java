package io.llmc4j.engine.evaluate;

import io.llmc4j.engine.BadInput;
import java.util.Set;

/**
 * Something to measure on some versions of the model while it is compressed.
 *
 * @param name    of the data, for the report
 * @param windows [windows][seqLen] token ids
 */
public record Evaluation(String name, Kind kind, int[][] windows, Set<Position> positions) {

    public enum Kind {
        PERPLEXITY("ppl"),
        /** Share of positions whose most likely token is the original model's. */
        TOKEN_AGREEMENT("token_acc");

        private final String label;

        Kind(String label) {
            this.label = label;
        }

        /** LLMC's word. */
        public String label() {
            return label;
        }
    }

    public Evaluation {
        positions = Set.copyOf(positions);
        if (windows.length == 0) {
            throw BadInput.of(BadInput.Common.DATA, "evaluation data '%s' has fewer tokens than one window; use a smaller seq_len or more text", name);
        }
    }

    public static Evaluation perplexity(String name, int[][] windows, Position first, Position... more) {
        return new Evaluation(name, Kind.PERPLEXITY, windows, java.util.EnumSet.of(first, more));
    }

    /** Windows of {@code seqLen} tokens, without overlap, the rest dropped (spec 15.2). None when there are fewer tokens. */
    public static int[][] windows(int[] tokens, int seqLen) {
        int[][] out = new int[tokens.length / seqLen][];
        for (int i = 0; i < out.length; i++) {
            out[i] = java.util.Arrays.copyOfRange(tokens, i * seqLen, (i + 1) * seqLen);
        }
        return out;
    }

    public int seqLen() {
        return windows[0].length;
    }

    public long tokens() {
        return (long) windows.length * seqLen();
    }
}
