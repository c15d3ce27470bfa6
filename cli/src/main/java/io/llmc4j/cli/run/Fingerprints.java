package io.llmc4j.cli.run;

import io.llmc4j.cli.command.Llmc4j;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.journal.Fingerprint;
import io.llmc4j.engine.pipeline.MethodStep;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import picocli.CommandLine.Command;

/** What a run's result depends on, as a resumed run compares it: configuration, data, model files, outputs, program. */
final class Fingerprints {

    /** A header or a small file; what is larger is told by size and time. */
    private static final int MOST = 1 << 26;

    /** Settings of methods that name files or directories to read from. */
    private static final List<String> READ = List.of("rotation_path", "scale_path", "clip_path");

    private Fingerprints() {
    }

    static Fingerprint of(Job job) {
        Fingerprint f = Fingerprint.of(job.run()).with("program", program());
        if (job.target().isPresent()) {
            f = f.with("target bits", job.target().get().toString());
        }
        Optional<String> relaxed = DeviceSession.relaxed();
        if (relaxed.isPresent()) {
            f = f.with("device with relaxed mathematics", relaxed.get());
        }
        int i = 0;
        for (Outputs.Target t : job.targets()) {
            i++;
            f = f.with("output " + i, t.format().name() + " in " + t.directory().toAbsolutePath().normalize());
            for (Path read : t.format().reads()) {
                f = with(f, "file of output " + i, read);
            }
        }
        f = with(f, "model file", Path.of(job.config().model().path()));
        for (MethodStep m : job.run().methods()) {
            for (String key : READ) {
                String path = String.valueOf(m.special().getOrDefault(key, ""));
                // what a run writes itself, at its very end, is no input of it
                if (!path.isEmpty() && !Boolean.TRUE.equals(m.special().get(key.replaceFirst("(.*)_path", "save_$1")))) {
                    f = with(f, "file of " + m.name() + "." + key, Path.of(path));
                }
            }
        }
        return f;
    }

    /** With a field for each file of a directory, or for the one file. What is not there is told elsewhere. */
    private static Fingerprint with(Fingerprint before, String what, Path path) {
        if (!Files.exists(path)) {
            return before;
        }
        Fingerprint f = before;
        try {
            // a link to a directory is not walked into, and names nothing
            Path real = path.toRealPath();
            try (Stream<Path> all = Files.walk(real)) {
                for (Path p : all.filter(Files::isRegularFile).sorted().toList()) {
                    f = f.with(what + " " + (p.equals(real) ? path.getFileName() : real.relativize(p)), file(p));
                }
            }
        } catch (IOException | UncheckedIOException e) {
            throw new BadInput(BadInput.Common.MODEL, path + " cannot be read: " + e.getMessage(), e);
        }
        return f;
    }

    /** Weights: size, time and the header's checksum; the rest: the checksum. */
    private static String file(Path p) throws IOException {
        long size = Files.size(p);
        String time = Files.getLastModifiedTime(p).toString();
        try (InputStream in = Files.newInputStream(p)) {
            if (p.getFileName().toString().endsWith(".safetensors")) {
                byte[] length = in.readNBytes(8);
                long n = length.length < 8 ? 0 : ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).getLong();
                byte[] header = in.readNBytes((int) Math.max(0, Math.min(n, MOST)));
                return size + " bytes of " + time + ", header sha256:" + sha256(header);
            }
            return size > MOST ? size + " bytes of " + time : "sha256:" + sha256(in.readAllBytes());
        }
    }

    /** Version, and the checksum of the program's file where it is one. */
    private static String program() {
        String version = Llmc4j.class.getAnnotation(Command.class).version()[0];
        try {
            Path code = Path.of(Llmc4j.class.getProtectionDomain().getCodeSource().getLocation().toURI());
            return Files.isRegularFile(code) ? version + " sha256:" + sha256(Files.readAllBytes(code)) : version;
        } catch (URISyntaxException | IOException e) {
            return version;
        }
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
