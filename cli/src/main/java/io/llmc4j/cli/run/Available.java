package io.llmc4j.cli.run;

/** What is here, of what is known by name. */
public final class Available {

    private Available() {
    }

    public static boolean method(String name) {
        return false;
    }
}
