package io.llmc4j.cli;

import io.llmc4j.cli.command.Llmc4j;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;

/** The entry point, and the only place that ends the process. */
public final class Main {

    private Main() {
    }

    public static void main(String[] args) {
        StandardError.take();
        PrintWriter out = new PrintWriter(new OutputStreamWriter(new FileOutputStream(FileDescriptor.out), StandardCharsets.UTF_8), false);
        PrintWriter err = new PrintWriter(System.err, true);
        int code = run(out, err, args);
        out.flush();
        err.flush();
        System.exit(code);
    }

    /** Runs one command line; returns its exit code. */
    public static int run(PrintWriter out, PrintWriter err, String... args) {
        return Llmc4j.commandLine(out, err, args).execute(args);
    }
}
