package io.llmc4j.engine.safetensors;

import io.llmc4j.engine.BadInput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;

/**
 * Files that appear whole or not at all: written under a temporary name in the same directory, forced to the disk, renamed, and the directory
 * forced too, so that a power cut leaves the old file or the new one.
 */
public final class AtomicFile {

    /** What a file is called until it is whole. */
    public static final String PARTIAL_SUFFIX = ".partial";

    private AtomicFile() {
    }

    public static Path partial(Path target) {
        return target.resolveSibling(target.getFileName() + PARTIAL_SUFFIX);
    }

    /** Writes a small file (a configuration, an index). */
    public static WrittenFile write(Path target, byte[] bytes) {
        Path partial = partial(target);
        try {
            try (FileChannel c = FileChannel.open(partial, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
                ByteBuffer b = ByteBuffer.wrap(bytes);
                while (b.hasRemaining()) {
                    c.write(b);
                }
                c.force(true);
            }
            commit(partial, target);
        } catch (IOException e) {
            deleteQuietly(partial);
            throw unwritable(target, bytes.length, e);
        }
        return new WrittenFile(target, bytes.length, HexFormat.of().formatHex(sha256().digest(bytes)));
    }

    /** The rename, for whoever wrote and forced the partial file itself. */
    static void commit(Path partial, Path target) throws IOException {
        Files.move(partial, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        try (FileChannel directory = FileChannel.open(target.toAbsolutePath().getParent(), StandardOpenOption.READ)) {
            directory.force(true);
        } catch (IOException e) {
            // Some file systems open no directories; there the rename itself is all that can be asked for.
        }
    }

    static void deleteQuietly(Path p) {
        try {
            Files.deleteIfExists(p);
        } catch (IOException e) {
            // the error that brought us here is the one to report
        }
    }

    /** The error of an operation on a file that failed, with the file and the room that its disk has. */
    public static BadInput unwritable(Path target, IOException e) {
        return failed(target, room(target).map(r -> " (" + r + ")").orElse(""), e);
    }

    /** The error of a write of so many bytes that failed, with the file and the room that its disk has. */
    public static BadInput unwritable(Path target, long bytes, IOException e) {
        return failed(target, " (" + bytes + " bytes were to be written" + room(target).map(r -> ", " + r).orElse("") + ")", e);
    }

    /** What follows the error of a place that could not be changed: " (its disk has 100 bytes free); free space or choose another directory". */
    public static String advice(Path place) {
        return room(place).map(r -> " (" + r + ")").orElse("") + "; free space or choose another directory";
    }

    private static BadInput failed(Path target, String room, IOException e) {
        return new BadInput(SafetensorsError.UNWRITABLE, target + ": cannot be written: " + e.getMessage() + room
                + "; free space or choose another directory (nothing is left under the final name)", e);
    }

    /** "its disk has 100 bytes free"; empty when that cannot be told. */
    public static Optional<String> room(Path target) {
        Path there = target.toAbsolutePath().getParent();
        while (there != null && Files.notExists(there)) {
            there = there.getParent();
        }
        try {
            return Optional.of("its disk has " + Files.getFileStore(there).getUsableSpace() + " bytes free");
        } catch (IOException | RuntimeException e) {
            // the error that brought us here is the one to report
            return Optional.empty();
        }
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
