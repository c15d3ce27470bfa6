package io.llmc4j.cli.run;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** The texts that come with the program, for calibration and evaluation when the user names none. */
public final class Texts {

    /** What a configuration writes instead of a path. */
    public static final String BUNDLED = "bundled";

    private Texts() {
    }

    public static byte[] calibration() {
        return resource("/calibration.txt");
    }

    public static byte[] evaluation() {
        return resource("/evaluation.txt");
    }

    public static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static byte[] resource(String name) {
        try (InputStream in = Texts.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalStateException("the program's own text " + name + " is missing from its jar");
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
