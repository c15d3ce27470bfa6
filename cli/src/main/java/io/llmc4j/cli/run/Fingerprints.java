package io.llmc4j.cli.run;

import io.llmc4j.cli.command.Llmc4j;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.journal.Fingerprint;
import java.io.IOException;
import java.io.InputStream;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;
import java.util.stream.Stream;
import picocli.CommandLine.Command;

/** What a run's result depends on, as a resumed run compares it: configuration, data, model files, outputs, program. */
final class Fingerprints {

    /** A header or a small file; what is larger is told by size and time. */
    private static final int MOST = 1 << 26;

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
        }
        Path model = Path.of(job.config().model().path());
        try (Stream<Path> all = Files.walk(model)) {
            for (Path p : all.filter(Files::isRegularFile).sorted().toList()) {
                f = f.with("model file " + model.relativize(p), file(p));
            }
        } catch (IOException e) {
            throw BadInput.of(BadInput.Common.MODEL, "%s cannot be read: %s", model, e.getMessage());
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
