package io.llmc4j.formats.data;

import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.text.Tokenizer;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** How rows become the one token sequence that perplexity windows are cut from, by LLMC's data set names; {@code PLAIN} is a text as it is. */
public enum EvaluationText {
    /** Rows joined with two newlines. */
    WIKITEXT2,
    /** The first 1100 rows joined with spaces, ids cut to 256 windows. */
    C4,
    /** Rows joined with spaces. */
    PTB,
    /** Rows (a question and its answer each) joined with newlines. */
    CUSTOM_PPL,
    /** Rows joined with two newlines (a text file gives itself), no special tokens. */
    PLAIN;

    public String llmcName() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** By LLMC's name; throws NOT_SUPPORTED. */
    public static EvaluationText named(String name) {
        for (EvaluationText e : values()) {
            if (e.llmcName().equals(name)) {
                return e;
            }
        }
        throw BadInput.of(DataError.NOT_SUPPORTED, "eval.name '%s' is not read here; known are %s", name,
                String.join(", ", Arrays.stream(values()).map(EvaluationText::llmcName).toList()));
    }

    /** All ids; windows come from {@link Windows#cut}. */
    public int[] tokens(List<String> rows, Tokenizer tokenizer, int seqLen) {
        return switch (this) {
            case WIKITEXT2 -> tokenizer.encode(String.join("\n\n", rows));
            case C4 -> {
                int[] ids = tokenizer.encode(String.join(" ", rows.subList(0, Math.min(1100, rows.size()))));
                yield ids.length > 256L * seqLen ? Arrays.copyOf(ids, 256 * seqLen) : ids;
            }
            case PTB -> tokenizer.encode(String.join(" ", rows));
            case CUSTOM_PPL -> tokenizer.encode(String.join("\n", rows));
            case PLAIN -> tokenizer.encode(String.join("\n\n", rows), false);
        };
    }

    /** Non-overlapping windows of the text; throws EMPTY, TOO_SHORT. */
    public Windows windows(List<String> rows, Tokenizer tokenizer, int seqLen, String where) {
        if (rows.isEmpty()) {
            throw BadInput.of(DataError.EMPTY, "%s: no rows of text", where);
        }
        return Windows.cut(tokens(rows, tokenizer, seqLen), seqLen, where);
    }
}
