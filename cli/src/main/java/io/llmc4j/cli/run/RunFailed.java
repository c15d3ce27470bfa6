package io.llmc4j.cli.run;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.SafetensorsError;
import java.io.IOException;

/** A run that had begun and could not be ended: a disk that filled up, a file that vanished or changed meanwhile. Nobody's input was bad. */
public final class RunFailed extends RuntimeException {

    private static final long serialVersionUID = 1;

    private final transient BadInput what;

    private RunFailed(BadInput what) {
        super(what.getMessage(), what);
        this.what = what;
    }

    /** What happened, and to which file. */
    public BadInput what() {
        return what;
    }

    /** What an error in the middle of a run is: one of the machine, or of the input. */
    static RuntimeException of(BadInput e) {
        return e.getCause() instanceof IOException || e.kind() == SafetensorsError.CHANGED || e.kind() == BadInput.Common.ENVIRONMENT ? new RunFailed(e) : e;
    }
}
