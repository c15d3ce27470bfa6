package io.llmc4j.cli.bench;

import io.llmc4j.engine.BadInput;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** Short whole runs of a model: read, calibrate, round, write, read back. */
final class RunCases {


    private RunCases() {
    }

    static List<BenchCase> list(Path model, BenchCases.Program program) {
        return List.of(run("rtn", "RTN", model, program, "--no-eval"),
                run("gptq", "GPTQ", model, program, "--no-eval", "--samples", "8"),
                run("awq", "AWQ", model, program, "--no-eval", "--samples", "2"));
    }

    private static BenchCase run(String method, String name, Path model, BenchCases.Program program, String... more) {
        return BenchCase.run("run-" + method, "whole run, " + name + " int4", model.getFileName().toString() + " " + String.join(" ", more), () -> () -> {
            Path directory = temporary();
            try {
                String[] fixed = {"quantize", model.toString(), "--method", method, "--out", directory.resolve("out").toString()};
                StringWriter messages = new StringWriter();
                int code = program.run(new PrintWriter(Writer.nullWriter()), new PrintWriter(messages, true),
                        Stream.concat(Stream.of(fixed), Stream.of(more)).toArray(String[]::new));
                if (code != 0) {
                    throw BadInput.of(BadInput.Common.MODEL, "the %s run of %s ended with exit code %d:%n%s", name, model, code, messages);
                }
            } finally {
                delete(directory);
            }
        });
    }

    private static Path temporary() {
        try {
            return Files.createTempDirectory("llmc4j-bench");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void delete(Path directory) {
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path p : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(p);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
