package io.llmc4j.cli.run;

import io.llmc4j.engine.method.Methods;

/** What is here, of what is known by name. */
public final class Available {

    private Available() {
    }

    /** By LLMC's name. */
    public static boolean method(String name) {
        return Methods.all().stream().anyMatch(m -> m.name().equalsIgnoreCase(name));
    }
}
