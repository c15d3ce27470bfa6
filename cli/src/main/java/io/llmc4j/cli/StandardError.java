package io.llmc4j.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.lang.reflect.Constructor;
import java.nio.charset.StandardCharsets;

/**
 * Takes standard error from the descriptor that the launcher names. Java prints a warning for each incubator module before {@code main}
 * runs and cannot be told not to; so the launcher gives it descriptor 2 closed and the real one as 3.
 */
final class StandardError {

    static final String PROPERTY = "llmc4j.stderr";

    private StandardError() {
    }

    static void take() {
        Integer descriptor = Integer.getInteger(PROPERTY);
        if (descriptor == null) {
            return;
        }
        try {
            Constructor<FileDescriptor> constructor = FileDescriptor.class.getDeclaredConstructor(int.class);
            constructor.setAccessible(true);
            System.setErr(new PrintStream(new FileOutputStream(constructor.newInstance(descriptor)), true, StandardCharsets.UTF_8));
        } catch (ReflectiveOperationException | RuntimeException e) {
            throw new IllegalStateException("standard error cannot be taken from descriptor " + descriptor
                    + "; start the program by its launcher, or without -D" + PROPERTY, e);
        }
    }
}
