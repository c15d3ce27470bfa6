package io.llmc4j.cli;

/** The entry point. */
public final class Main {

    private Main() {
    }

    public static void main(String[] args) {
        StandardError.take();
        System.err.println("llmc4j: no command is here yet");
        System.exit(2);
    }
}
