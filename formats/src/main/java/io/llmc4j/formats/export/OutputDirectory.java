package io.llmc4j.formats.export;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.WrittenFile;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** A directory that appears whole or not at all: it is filled under a hidden name beside its place and renamed. */
public final class OutputDirectory {

    private final Path target;
    private final Path staging;
    private final boolean overwrite;
    private boolean committed;

    private OutputDirectory(Path target, Path staging, boolean overwrite) {
        this.target = target;
        this.staging = staging;
        this.overwrite = overwrite;
    }

    /** Throws BadInput (OUTPUT) when the target is the source, or is there and not empty and must not be overwritten. */
    public static OutputDirectory begin(Path target, Optional<Path> source, boolean overwrite) {
        Path place = target.toAbsolutePath().normalize();
        try {
            if (source.isPresent() && Files.exists(place) && Files.isSameFile(place, source.get())) {
                throw BadInput.of(BadInput.Common.OUTPUT, "%s is the model that is read; choose another output directory", target);
            }
            if (Files.exists(place) && !Files.isDirectory(place)) {
                throw BadInput.of(BadInput.Common.OUTPUT, "%s is there and is no directory; choose another output directory", target);
            }
            if (Files.isDirectory(place) && !overwrite && !isEmpty(place)) {
                throw BadInput.of(BadInput.Common.OUTPUT, "%s is there and not empty; choose another output directory, or overwrite it with --overwrite", target);
            }
            Files.createDirectories(place.getParent());
            Path staging = place.resolveSibling("." + place.getFileName() + ".partial");
            deleteTree(staging);
            Files.createDirectory(staging);
            return new OutputDirectory(place, staging, overwrite);
        } catch (IOException e) {
            throw unwritable(target, e);
        }
    }

    public Path staging() {
        return staging;
    }

    public Path target() {
        return target;
    }

    /** Copies files by their paths relative to {@code from}, unless something of that name is there already. */
    List<WrittenFile> copy(Path from, List<Path> relative) {
        List<WrittenFile> out = new ArrayList<>();
        for (Path r : relative) {
            Path to = staging.resolve(r);
            if (Files.exists(to)) {
                continue;
            }
            MessageDigest digest = ShardStage.sha256();
            try {
                Files.createDirectories(to.getParent());
                long bytes;
                try (InputStream in = new DigestInputStream(Files.newInputStream(from.resolve(r)), digest); OutputStream o = Files.newOutputStream(to)) {
                    bytes = in.transferTo(o);
                }
                force(to);
                out.add(new WrittenFile(to, bytes, HexFormat.of().formatHex(digest.digest())));
            } catch (IOException e) {
                throw unwritable(to, e);
            }
        }
        return out;
    }

    private static void force(Path file) throws IOException {
        try (FileChannel c = FileChannel.open(file, StandardOpenOption.WRITE)) {
            c.force(true);
        }
    }

    /** The rename. What was at the target goes away after it. */
    public Path commit() {
        Path old = target.resolveSibling("." + target.getFileName() + ".replaced");
        try {
            if (Files.exists(target)) {
                if (overwrite) {
                    deleteTree(old);
                    Files.move(target, old, StandardCopyOption.ATOMIC_MOVE);
                } else {
                    Files.delete(target);
                }
            }
            Files.move(staging, target, StandardCopyOption.ATOMIC_MOVE);
            committed = true;
            deleteTree(old);
            return target;
        } catch (IOException e) {
            throw unwritable(target, e);
        }
    }

    /** Removes what is unfinished. */
    public void discard() {
        if (!committed) {
            try {
                deleteTree(staging);
            } catch (IOException e) {
                throw unwritable(staging, e);
            }
        }
    }

    private static boolean isEmpty(Path dir) throws IOException {
        try (Stream<Path> s = Files.list(dir)) {
            return s.findAny().isEmpty();
        }
    }

    private static void deleteTree(Path root) throws IOException {
        if (!Files.exists(root)) {
            return;
        }
        try (Stream<Path> all = Files.walk(root)) {
            all.sorted(Comparator.reverseOrder()).forEach(p -> {
                try {
                    Files.delete(p);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    private static BadInput unwritable(Path where, IOException e) {
        return new BadInput(BadInput.Common.OUTPUT, where + ": cannot be written: " + e, e);
    }
}
