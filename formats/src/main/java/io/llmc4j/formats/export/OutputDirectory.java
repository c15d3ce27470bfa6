package io.llmc4j.formats.export;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.AtomicFile;
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
import java.util.Set;
import java.util.stream.Stream;

/** A directory that appears whole or not at all: it is filled under a hidden name beside its place, from {@link #create()} on, and renamed. */
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
            return new OutputDirectory(place, staging(place), overwrite);
        } catch (IOException e) {
            throw unwritable(target, e);
        }
    }

    /** Where an output lies until it is whole. */
    public static Path staging(Path target) {
        Path place = target.toAbsolutePath().normalize();
        return place.resolveSibling("." + place.getFileName() + ".partial");
    }

    /** Makes the hidden directory, empty; what an earlier run left there goes away. */
    public void create() {
        try {
            Files.createDirectories(staging.getParent());
            deleteTree(staging);
            Files.createDirectory(staging);
        } catch (IOException e) {
            throw unwritable(target, e);
        }
    }

    /** Throws BadInput (OUTPUT) when the hidden directory of an earlier run is not there. */
    public void reopen() {
        if (!Files.isDirectory(staging)) {
            throw BadInput.of(BadInput.Common.OUTPUT, "%s, which holds the unfinished output, is gone; start again without --resume", staging);
        }
    }

    /** Deletes everything in a directory but these files. */
    public static void clear(Path directory, Set<String> kept) {
        try (Stream<Path> all = Files.list(directory)) {
            for (Path p : all.filter(p -> !kept.contains(p.getFileName().toString())).toList()) {
                deleteTree(p);
            }
        } catch (IOException e) {
            throw unwritable(directory, e);
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
            try (InputStream in = new DigestInputStream(Files.newInputStream(from.resolve(r)), digest)) {
                out.add(new WrittenFile(to, copy(in, to, Files.size(from.resolve(r))), HexFormat.of().formatHex(digest.digest())));
            } catch (IOException e) {
                throw new BadInput(BadInput.Common.MODEL, from.resolve(r) + " cannot be read: " + e, e);
            }
        }
        return out;
    }

    private static long copy(InputStream in, Path to, long expected) {
        try {
            Files.createDirectories(to.getParent());
            long bytes;
            try (OutputStream o = Files.newOutputStream(to)) {
                bytes = in.transferTo(o);
            }
            force(to);
            return bytes;
        } catch (IOException e) {
            throw AtomicFile.unwritable(to, expected, e);
        }
    }

    /** A file, or the names in a directory. */
    private static void force(Path path) throws IOException {
        if (!Files.isDirectory(path)) {
            try (FileChannel c = FileChannel.open(path, StandardOpenOption.WRITE)) {
                c.force(true);
            }
            return;
        }
        try (FileChannel c = FileChannel.open(path, StandardOpenOption.READ)) {
            c.force(true);
        } catch (IOException e) {
            // Some file systems open no directories; there the rename itself is all that can be asked for.
        }
    }

    /** The rename. What was at the target goes away after it. A second call, in this process or another, finishes what is left. */
    public Path commit() {
        Path old = target.resolveSibling("." + target.getFileName() + ".replaced");
        try {
            if (Files.isDirectory(staging)) {
                if (Files.exists(target)) {
                    if (overwrite) {
                        deleteTree(old);
                        Files.move(target, old, StandardCopyOption.ATOMIC_MOVE);
                    } else {
                        Files.delete(target);
                    }
                }
                force(staging);
                Files.move(staging, target, StandardCopyOption.ATOMIC_MOVE);
                force(target.getParent());
            } else if (!Files.isDirectory(target)) {
                throw BadInput.of(BadInput.Common.OUTPUT, "neither %s nor %s is there; start again without --resume", staging, target);
            }
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
        return new BadInput(BadInput.Common.OUTPUT, where + ": cannot be written: " + e + AtomicFile.advice(where), e);
    }
}
