package io.llmc4j.safety;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.cli.Main;
import io.llmc4j.cli.command.Llmc4j;
import io.llmc4j.engine.safetensors.SafetensorsWriter;
import io.llmc4j.engine.safetensors.TensorDeclaration;
import io.llmc4j.engine.safetensors.WriterOptions;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.formats.export.gguf.imatrix.ImportanceMatrix;
import io.llmc4j.formats.export.gguf.imatrix.LegacyImportance;
import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * A run that was stopped, and of which something changed since: {@code --resume} is refused with the name of all that changed and of nothing else, and goes
 * on when it is as it was.
 */
@DisabledOnOs(OS.WINDOWS)
class ChangedTest {

    private static final Pattern FIELD = Pattern.compile("(?m)^  (.+?) was \\S.* and is \\S");

    @TempDir
    Path dir;

    private interface Change {
        void make() throws Exception;
    }

    /** Starts a run and stops it behind its first block. */
    private void stopped(List<Object> command, Path journal) throws Exception {
        Path errors = dir.resolve("errors.txt");
        Process p = CommandProcess.start(KillTest.classPath(), errors, command);
        CommandProcess.await(p, journal, errors);
        assertEquals(1, CommandProcess.stop(p, "TERM"), Files.readString(errors));
    }

    /** The fields that a refusal names. */
    private static TreeSet<String> refused(int code, String err) {
        assertEquals(2, code, err);
        assertTrue(err.contains("cannot be resumed, because the result would be another:") && err.contains("put back what changed, or start again with --overwrite"), err);
        TreeSet<String> fields = new TreeSet<>();
        Matcher m = FIELD.matcher(err);
        while (m.find()) {
            fields.add(m.group(1));
        }
        return fields;
    }

    private static TreeSet<String> resumed(List<Object> command, String... more) {
        StringWriter err = new StringWriter();
        int code = Main.run(new PrintWriter(new StringWriter()), new PrintWriter(err, true), with(command, more).stream().map(Object::toString).toArray(String[]::new));
        return refused(code, err.toString());
    }

    private static List<Object> with(List<Object> command, String... more) {
        List<Object> all = new ArrayList<>(command);
        all.addAll(List.of(more));
        all.add("--resume");
        return all;
    }

    /** A file is another while the run is asked to go on, and the same as ever afterwards. */
    private static void changed(String field, Path file, List<Object> command, Change change) throws Exception {
        boolean there = Files.exists(file);
        byte[] bytes = there ? Files.readAllBytes(file) : new byte[0];
        FileTime time = there ? Files.getLastModifiedTime(file) : FileTime.fromMillis(0);
        change.make();
        assertEquals(new TreeSet<>(List.of(field)), resumed(command));
        if (there) {
            Files.write(file, bytes);
            Files.setLastModifiedTime(file, time);
        } else {
            Files.delete(file);
        }
    }

    private static byte[] another(Path file) throws IOException {
        byte[] b = Files.readAllBytes(file);
        b[b.length - 1] ^= 1;
        return b;
    }

    @Test
    void eachChangeIsNamed() throws Exception {
        // by a link, as in the cache of Hugging Face
        Path model = Files.createSymbolicLink(dir.resolve("linked"), DeepModel.make(dir, 3));
        Path text = Files.writeString(dir.resolve("calibration.txt"), "The old man walked along the river and sat down. ".repeat(40));
        Path importance = dir.resolve("importance.dat");
        LegacyImportance.write(new ImportanceMatrix(Map.of("blk.0.attn_q.weight", new ImportanceMatrix.Entry(new float[128], new float[] {3})), List.of("text"), 3, 512), importance);
        Path out = dir.resolve("o");
        List<Object> command = List.of("quantize", model, "-m", "gptq", "-b", "8", "-g", "64", "--calib", text, "--samples", "2", "--seq-len", "16", "--no-eval",
                "-e", "gguf:q8_0:" + importance, "-o", out);
        stopped(command, dir.resolve(".o.journal/journal.json"));

        Path weights = model.resolve("model.safetensors");
        changed("model file model.safetensors", weights, command, () -> Files.write(weights, another(weights)));
        Path config = model.resolve("config.json");
        changed("model file config.json", config, command, () -> Files.writeString(config, Files.readString(config) + "\n"));
        Path added = model.resolve("generation_config.json");
        changed("model file generation_config.json", added, command, () -> Files.writeString(added, "{}"));
        changed("calibration data", text, command, () -> Files.writeString(text, Files.readString(text).replace("river", "brook")));
        changed("file of output 1 importance.dat", importance, command, () -> Files.write(importance, another(importance)));
        assertEquals(new TreeSet<>(List.of("output 1")), resumed(command.stream().map(a -> a.equals("gguf:q8_0:" + importance) ? "gguf:q4_0:" + importance : a).toList()).stream()
                .filter(f -> !f.startsWith("file of")).collect(java.util.stream.Collectors.toCollection(TreeSet::new)));
        assertEquals(new TreeSet<>(List.of("seed", "calibration data")), resumed(command, "--seed", "7"));
        assertEquals(new TreeSet<>(List.of("setting GPTQ.percdamp")), resumed(command, "--set", "percdamp=0.5"));

        Path errors = dir.resolve("other.txt");
        Process other = CommandProcess.start(anotherProgram() + File.pathSeparator + KillTest.classPath(), errors, with(command));
        assertEquals(new TreeSet<>(List.of("program")), refused(other.waitFor(), Files.readString(errors)));

        Process same = CommandProcess.start(KillTest.classPath(), errors, with(command));
        assertEquals(0, same.waitFor(), Files.readString(errors));
        assertTrue(Files.isDirectory(out));
    }

    /** The same classes in a jar with one entry more. */
    private Path anotherProgram() throws Exception {
        Path code = Path.of(Llmc4j.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        Path jar = dir.resolve("another.jar");
        if (Files.isRegularFile(code)) {
            Files.copy(code, jar);
            try (var system = java.nio.file.FileSystems.newFileSystem(jar)) {
                Files.writeString(system.getPath("another.txt"), "another");
            }
            return jar;
        }
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(jar)); Stream<Path> all = Files.walk(code)) {
            for (Path p : all.filter(Files::isRegularFile).toList()) {
                zip.putNextEntry(new ZipEntry(code.relativize(p).toString()));
                zip.write(Files.readAllBytes(p));
                zip.closeEntry();
            }
        }
        return jar;
    }

    /** A file that a method reads is an input as the model is. */
    @Test
    void aRotationThatChanged() throws Exception {
        Path model = DeepModel.make(dir, 3);
        Path rotation = dir.resolve("q.safetensors");
        float[] q = new float[128 * 128];
        for (int i = 0; i < 128; i++) {
            q[129 * i] = 1;
        }
        TensorDeclaration declared = new TensorDeclaration("Q", DType.F32, new Shape(128, 128));
        try (SafetensorsWriter w = SafetensorsWriter.create(rotation, List.of(declared), Map.of(), WriterOptions.STRICT)) {
            w.append("Q", MemorySegment.ofArray(q));
            w.finish();
        }
        List<Object> command = List.of("quantize", model, "-m", "quarot", "-b", "8", "--per-channel", "--set", "rotation_path=" + rotation, "--no-eval", "-e", "fake", "-o", dir.resolve("o"));
        stopped(command, dir.resolve(".o.journal/journal.json"));
        changed("file of Quarot.rotation_path q.safetensors", rotation, command, () -> Files.write(rotation, another(rotation)));
    }
}
