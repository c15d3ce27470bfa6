package io.llmc4j.engine.evaluate;

import io.llmc4j.engine.BadInput;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Something to measure on some versions of the model while it is compressed.
 *
 * @param name    of the data, for the report
 * @param windows [windows][seqLen] token ids; texts of any length, at least two tokens, for decode_ppl
 */
public record Evaluation(String name, Kind kind, int[][] windows, Set<Position> positions) {

    public enum Kind {
        PERPLEXITY("ppl"),
        /** Perplexity of texts that are fed token by token through the cache of keys and values. */
        DECODE_PERPLEXITY("decode_ppl"),
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
        for (int[] w : windows) {
            if (w.length < 2 || kind != Kind.DECODE_PERPLEXITY && w.length != windows[0].length) {
                throw BadInput.of(BadInput.Common.DATA, "evaluation data '%s' has a text of %d tokens; %s", name, w.length,
                        w.length < 2 ? "at least two are needed to predict one" : "all windows have to be equally long");
            }
        }
    }

    public static Evaluation perplexity(String name, int[][] windows, Position first, Position... more) {
        return new Evaluation(name, Kind.PERPLEXITY, windows, java.util.EnumSet.of(first, more));
    }

    /**
     * {@code decode_ppl} of the first {@code samples} texts, until {@code tokens} tokens have been predicted (spec 15.5). Throws BadInput (DATA) when
     * there is nothing to predict.
     */
    public static Evaluation decoding(String name, List<int[]> texts, int samples, int tokens, Position first, Position... more) {
        List<int[]> cut = new ArrayList<>();
        int left = tokens;
        for (int[] t : texts.subList(0, Math.min(samples, texts.size()))) {
            int predicted = Math.min(left, t.length - 1);
            if (predicted > 0) {
                cut.add(java.util.Arrays.copyOf(t, predicted + 1));
                left -= predicted;
            }
        }
        return new Evaluation(name, Kind.DECODE_PERPLEXITY, cut.toArray(int[][]::new), java.util.EnumSet.of(first, more));
    }

    /** Windows of {@code seqLen} tokens, without overlap, the rest dropped (spec 15.2). None when there are fewer tokens. */
    public static int[][] windows(int[] tokens, int seqLen) {
        int[][] out = new int[tokens.length / seqLen][];
        for (int i = 0; i < out.length; i++) {
            out[i] = java.util.Arrays.copyOfRange(tokens, i * seqLen, (i + 1) * seqLen);
        }
        return out;
    }

    /** Tokens of a window; of the longest text for decode_ppl. */
    public int seqLen() {
        int n = 0;
        for (int[] w : windows) {
            n = Math.max(n, w.length);
        }
        return n;
    }

    public long tokens() {
        long n = 0;
        for (int[] w : windows) {
            n += w.length;
        }
        return n;
    }
}
