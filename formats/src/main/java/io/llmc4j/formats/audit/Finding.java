package io.llmc4j.formats.audit;

/**
 * Something that an audit found.
 *
 * @param where   a tensor, a layer or a file; "" when it is about the whole model
 * @param message what is wrong, what was found, what is expected
 */
public record Finding(Severity severity, Rule rule, String where, String message) {

    public enum Severity {
        /** The model is not what it should be; one is enough for the verdict "unsound". */
        FAULT,
        /** Odd, and perhaps meant. */
        WARNING,
        /** Good to know. */
        NOTE
    }

    /** What was held to what; tests and {@code --json} rely on the name. */
    public enum Rule {
        /** Tensors that are missing, left over or unknown. */
        NAMES,
        /** A type or a shape that the format does not have. */
        SHAPES,
        /** config.json against the original's, or against the tensors. */
        CONFIG,
        /** Lists of modules that stay float, and targets of groups. */
        IGNORE,
        GROUP_SIZE,
        ZERO_POINT,
        TIED_HEAD,
        SHARDS,
        NON_FINITE,
        SCALE,
        CODES,
        LEVELS,
        /** Norms, biases, embedding, head: what is stored as floats. */
        FLOATS,
        /** A layer's weight is not its original's. */
        LAYER,
        /** An equivalent transformation was recognized, or is incomplete. */
        TRANSFORM,
        /** Tokenizer and other files beside the weights. */
        SIDE_FILES,
        /** What the models say to a text. */
        DATA,
        /** What the configuration gives when it is run again. */
        REPRODUCE
    }

    static Finding fault(Rule rule, String where, String message, Object... args) {
        return new Finding(Severity.FAULT, rule, where, text(message, args));
    }

    static Finding warning(Rule rule, String where, String message, Object... args) {
        return new Finding(Severity.WARNING, rule, where, text(message, args));
    }

    static Finding note(Rule rule, String where, String message, Object... args) {
        return new Finding(Severity.NOTE, rule, where, text(message, args));
    }

    private static String text(String message, Object... args) {
        return args.length == 0 ? message : String.format(java.util.Locale.ROOT, message, args);
    }
}
