package io.llmc4j.cli.start;

import io.llmc4j.cli.Main;
import java.io.PrintWriter;
import java.io.Writer;

/** Walks the ways that most starts go: help, and a short run on the sample. What the JDK loads and compiles meanwhile it can leave in a cache for later starts. */
public final class Rehearsal {

    private Rehearsal() {
    }

    /** @param args a model directory and an output directory that is not there yet */
    public static void main(String[] args) {
        PrintWriter nowhere = new PrintWriter(Writer.nullWriter());
        Main.run(nowhere, nowhere, "--help");
        Main.run(nowhere, nowhere, "quantize", "--help");
        Main.run(nowhere, nowhere, "methods");
        Main.run(nowhere, nowhere, "quantize", args[0], "--method", "rtn", "--no-eval", "--out", args[1], "--overwrite");
        System.exit(0);
    }
}
