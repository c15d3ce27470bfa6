package io.llmc4j.cli.bench;

import io.llmc4j.engine.BadInput;
import java.io.PrintWriter;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The only list of cases, in the order of the table. */
public final class BenchCases {

    private static final String SAMPLE = "cli/samples/tiny-llama-en";

    /** Runs one command line in this process and gives its exit code. */
    public interface Program {
        int run(PrintWriter out, PrintWriter err, String... args);
    }

    private BenchCases() {
    }

    /** @param model of the whole runs; empty: none */
    public static List<BenchCase> list(boolean full, Optional<Path> model, Program program) {
        List<BenchCase> cases = new ArrayList<>(ProductCases.list(full));
        cases.addAll(StorageCases.list());
        model.ifPresent(m -> cases.addAll(RunCases.list(m, program)));
        return cases;
    }

    /** The model that was asked for, or the sample beside the program; empty where the program stands without it. */
    public static Optional<Path> model(Optional<Path> asked) {
        if (asked.isPresent()) {
            if (!Files.isDirectory(asked.get())) {
                throw BadInput.of(BadInput.Common.MODEL, "--model %s is not a directory", asked.get());
            }
            return asked;
        }
        Path root = Path.of(System.getProperty("llmc4j.root", "."), SAMPLE);
        if (Files.isDirectory(root)) {
            return Optional.of(root);
        }
        try {
            Path program = Path.of(BenchCases.class.getProtectionDomain().getCodeSource().getLocation().toURI());
            for (Path p = program; p != null; p = p.getParent()) {
                if (Files.isDirectory(p.resolve(SAMPLE))) {
                    return Optional.of(p.resolve(SAMPLE));
                }
            }
        } catch (URISyntaxException e) {
            return Optional.empty();
        }
        return Optional.empty();
    }
}
