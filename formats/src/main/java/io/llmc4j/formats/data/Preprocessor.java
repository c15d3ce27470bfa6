package io.llmc4j.formats.data;

import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;

/**
 * LLMC's ways to draw calibration samples from rows of text, by LLMC's names in lower case. Each draws exactly the windows that LLMC draws: row order by
 * NumPy's generator with the fixed seed 42, positions by Python's generator with the run's seed. Tokenizers add their special tokens once a call.
 */
public enum Preprocessor {
    WIKITEXT2_GPTQ, PTB_GPTQ, C4_GPTQ, PILEVAL_AWQ, PILEVAL_SMOOTH, PILEVAL_OMNI, TXT_GENERAL_PREPROC, RANDOM_TRUNCATE_TXT, ULTRACHAT_GENERAL;

    private static final int ROW_SEED = 42;

    /** LLMC's name, as its configurations write it. */
    public String llmcName() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** By LLMC's name; throws NOT_SUPPORTED with the names that are there. */
    public static Preprocessor named(String name) {
        for (Preprocessor p : values()) {
            if (p.llmcName().equals(name)) {
                return p;
            }
        }
        throw BadInput.of(DataError.NOT_SUPPORTED, "calib.preproc '%s' is none of %s", name,
                String.join(", ", Arrays.stream(values()).map(Preprocessor::llmcName).toList()));
    }

    /**
     * Draws the samples. {@code random} is the run's Python generator (its state goes on). Throws EMPTY, TOO_SHORT, NOT_SUPPORTED.
     *
     * @param where names the data in errors
     */
    public Windows sample(List<String> rows, Tokenizer tokenizer, int nSamples, int seqLen, PythonRandom random, String where) {
        if (rows.isEmpty()) {
            throw BadInput.of(DataError.EMPTY, "%s: no rows of text", where);
        }
        if (nSamples < 1 || seqLen < 1) {
            throw BadInput.of(BadInput.Common.CONFIG, "calib: n_samples is %d and seq_len %d; both must be at least 1", nSamples, seqLen);
        }
        return switch (this) {
            case WIKITEXT2_GPTQ -> positions(tokenizer.encode(String.join("\n\n", rows)), nSamples, seqLen, random, where);
            case PTB_GPTQ -> positions(tokenizer.encode(String.join(" ", rows)), nSamples, seqLen, random, where);
            case PILEVAL_OMNI -> positions(tokenizer.encode(String.join("\n\n", rows.subList(0, Math.min(1000, rows.size())))), nSamples, seqLen, random, where);
            case RANDOM_TRUNCATE_TXT -> {
                List<String> shuffled = new ArrayList<>(rows);
                random.shuffle(shuffled);
                yield positions(tokenizer.encode(String.join("\n\n", shuffled)), nSamples, seqLen, random, where);
            }
            case C4_GPTQ -> rowsThenPositions(rows, tokenizer, nSamples, seqLen, random, where);
            case PILEVAL_AWQ -> shortRowsCut(rows, tokenizer, nSamples, seqLen, where);
            case PILEVAL_SMOOTH -> truncatedRows(rows, tokenizer, nSamples, seqLen);
            case TXT_GENERAL_PREPROC -> longRows(rows, tokenizer, nSamples, seqLen, where);
            case ULTRACHAT_GENERAL -> throw BadInput.of(DataError.NOT_SUPPORTED,
                    "calib.preproc ultrachat_general renders conversations with the model's chat template, which is not implemented; use another preprocessor");
        };
    }

    /** Windows that start anywhere in one long text. */
    private static Windows positions(int[] ids, int nSamples, int seqLen, PythonRandom random, String where) {
        if (ids.length <= seqLen) {
            throw BadInput.of(DataError.TOO_SHORT, "%s: %d tokens in all, windows of %d are drawn from more than that; give more text or a smaller seq_len",
                    where, ids.length, seqLen);
        }
        List<int[]> out = new ArrayList<>();
        for (int n = 0; n < nSamples; n++) {
            int i = random.between(0, ids.length - seqLen - 1);
            out.add(Arrays.copyOfRange(ids, i, i + seqLen));
        }
        return Windows.of(out);
    }

    /**
     * A random row that is long enough, then a random window of it. A row of exactly {@code seqLen} tokens, at which LLMC stops with an error, is drawn again.
     */
    private static Windows rowsThenPositions(List<String> rows, Tokenizer tokenizer, int nSamples, int seqLen, PythonRandom random, String where) {
        List<int[]> out = new ArrayList<>();
        BitSet tooShort = new BitSet();
        while (out.size() < nSamples) {
            int r = random.between(0, rows.size() - 1);
            int[] ids = tooShort.get(r) ? new int[0] : tokenizer.encode(rows.get(r));
            if (ids.length > seqLen) {
                int i = random.between(0, ids.length - seqLen - 1);
                out.add(Arrays.copyOfRange(ids, i, i + seqLen));
                continue;
            }
            tooShort.set(r);
            if (tooShort.cardinality() == rows.size()) {
                throw BadInput.of(DataError.TOO_SHORT, "%s: none of %d rows has more than %d tokens; use a smaller seq_len or a preprocessor that joins rows (wikitext2_gptq)",
                        where, rows.size(), seqLen);
            }
        }
        return Windows.of(out);
    }

    /** Short rows one behind the other, cut into windows. */
    private static Windows shortRowsCut(List<String> rows, Tokenizer tokenizer, int nSamples, int seqLen, String where) {
        List<int[]> kept = new ArrayList<>();
        int skipped = 0;
        for (int r : NumpyPermutation.of(ROW_SEED, rows.size())) {
            int[] ids = tokenizer.encode(PythonText.strip(rows.get(r)));
            if (ids.length == 0 || ids.length > seqLen) {
                skipped++;
                continue;
            }
            kept.add(ids);
            if (kept.size() == nSamples) {
                break;
            }
        }
        int total = kept.stream().mapToInt(a -> a.length).sum();
        int[] all = new int[total];
        int at = 0;
        for (int[] ids : kept) {
            System.arraycopy(ids, 0, all, at, ids.length);
            at += ids.length;
        }
        if (total < seqLen) {
            throw BadInput.of(DataError.TOO_SHORT, "%s: pileval_awq keeps rows of 1 to %d tokens; the %d kept (%d were not) have %d tokens, less than one window",
                    where, seqLen, kept.size(), skipped, total);
        }
        return new Windows(Windows.cut(all, seqLen, where).rows(), fewer(kept.size(), nSamples, where));
    }

    private static Windows truncatedRows(List<String> rows, Tokenizer tokenizer, int nSamples, int seqLen) {
        List<int[]> out = new ArrayList<>();
        int[] order = NumpyPermutation.of(ROW_SEED, rows.size());
        for (int n = 0; n < Math.min(nSamples, order.length); n++) {
            out.add(tokenizer.encodeTruncated(rows.get(order[n]), seqLen, true));
        }
        return new Windows(out, fewer(out.size(), nSamples, "calibration data"));
    }

    private static Windows longRows(List<String> rows, Tokenizer tokenizer, int nSamples, int seqLen, String where) {
        List<int[]> out = new ArrayList<>();
        for (int r : NumpyPermutation.of(ROW_SEED, rows.size())) {
            int[] ids = tokenizer.encodeTruncated(rows.get(r), seqLen, true);
            if (ids.length == seqLen) {
                out.add(ids);
            }
            if (out.size() == nSamples) {
                break;
            }
        }
        if (out.isEmpty()) {
            throw BadInput.of(DataError.TOO_SHORT, "%s: none of %d rows reaches %d tokens; use a smaller seq_len or a preprocessor that joins rows (wikitext2_gptq)",
                    where, rows.size(), seqLen);
        }
        return new Windows(out, fewer(out.size(), nSamples, where));
    }

    private static List<String> fewer(int got, int wanted, String where) {
        return got == wanted ? List.of() : List.of(where + ": " + got + " rows qualify, " + wanted + " were asked for");
    }
}
