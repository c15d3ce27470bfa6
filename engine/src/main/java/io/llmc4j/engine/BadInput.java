package io.llmc4j.engine;

/**
 * Something that the user gave is wrong: a file, a configuration, a combination. Exit code 2, no stack trace.
 *
 * <p>The message says what is wrong, where, what was found, what is allowed and what to do. Every other exception is a bug.
 * Rooms that need to tell their errors apart declare an enum that implements {@link Kind}.
 */
public final class BadInput extends RuntimeException {

    /** What kind of error it is; tests and {@code --json} rely on the name, never on the sentence. */
    public interface Kind {
        String name();
    }

    /** Kinds that need no room of their own. */
    public enum Common implements Kind { CONFIG, MODEL, DATA, FORMAT, OUTPUT, USAGE, NOT_SUPPORTED, ENVIRONMENT }

    private final transient Kind kind;

    public BadInput(Kind kind, String message) {
        super(message);
        this.kind = kind;
    }

    public BadInput(Kind kind, String message, Throwable cause) {
        super(message, cause);
        this.kind = kind;
    }

    public Kind kind() {
        return kind;
    }

    /** {@code throw BadInput.of(CONFIG, "x is %d", 3)}. */
    public static BadInput of(Kind kind, String format, Object... args) {
        return new BadInput(kind, args.length == 0 ? format : String.format(java.util.Locale.ROOT, format, args));
    }
}
