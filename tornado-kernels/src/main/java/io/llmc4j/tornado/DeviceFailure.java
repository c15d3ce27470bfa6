package io.llmc4j.tornado;

/** A device did not compute a call. What the call was to write is untouched. */
public final class DeviceFailure extends Exception {

    private static final long serialVersionUID = 1L;

    /** What went wrong. */
    public enum Kind {
        /** Smaller panels may do. */
        OUT_OF_MEMORY("out of memory"),
        /** A kernel does not build for this device. */
        BUILD("a kernel does not build"),
        /** The driver refused to start a kernel, or started none. */
        LAUNCH("a kernel did not start"),
        /** The device does not answer any more. */
        LOST("the device is lost"),
        OTHER("it failed");

        private final String words;

        Kind(String words) {
            this.words = words;
        }

        public String words() {
            return words;
        }
    }

    private final Kind kind;

    public DeviceFailure(Kind kind, String message, Throwable cause) {
        super(message, cause);
        this.kind = kind;
    }

    public DeviceFailure(Kind kind, String message) {
        this(kind, message, null);
    }

    public Kind kind() {
        return kind;
    }
}
