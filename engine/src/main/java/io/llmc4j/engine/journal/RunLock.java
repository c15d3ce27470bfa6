package io.llmc4j.engine.journal;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.AtomicFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.ThreadLocalRandom;

/** One run an output: a lock of the operating system on a file, which ends with the process however that ends. */
final class RunLock implements AutoCloseable {

    private final Path file;
    private final FileChannel channel;
    private final FileLock lock;

    private RunLock(Path file, FileChannel channel, FileLock lock) {
        this.file = file;
        this.channel = channel;
        this.lock = lock;
    }

    /** Throws BadInput (OUTPUT) when another run holds it. {@code what} is being written. */
    static RunLock take(Path file, Path what) {
        try {
            while (true) {
                FileChannel c = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
                FileLock lock = tryLock(c);
                if (lock == null) {
                    ByteBuffer b = ByteBuffer.allocate(100);
                    c.read(b, 0);
                    c.close();
                    String owner = new String(b.array(), 0, b.position(), StandardCharsets.UTF_8).strip();
                    throw BadInput.of(BadInput.Common.OUTPUT, "another run%s writes %s now; wait for it, or choose another output directory",
                            owner.isEmpty() ? "" : " (process " + owner + ")", what);
                }
                if (!same(file, c)) {
                    // The run that held it ended in between and took the file away.
                    c.close();
                    continue;
                }
                c.truncate(0).write(ByteBuffer.wrap(Long.toString(ProcessHandle.current().pid()).getBytes(StandardCharsets.UTF_8)), 0);
                return new RunLock(file, c, lock);
            }
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.OUTPUT, file + ": cannot be written: " + e + AtomicFile.advice(file), e);
        }
    }

    private static FileLock tryLock(FileChannel c) throws IOException {
        try {
            return c.tryLock();
        } catch (OverlappingFileLockException e) {
            return null;
        }
    }

    /**
     * Whether the name still stands for the file that is open: a size given through the channel is seen through the name only when both are one file. The
     * file must not be opened a second time for that: closing any descriptor of it would give back this process's lock.
     */
    private static boolean same(Path file, FileChannel open) throws IOException {
        long size = ThreadLocalRandom.current().nextLong(1 << 10, 1 << 14);
        open.truncate(0).write(ByteBuffer.allocate(1), size - 1);
        try {
            return Files.size(file) == size;
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    /** Takes the file away and gives the lock back. */
    @Override
    public void close() {
        try {
            Files.deleteIfExists(file);
            lock.release();
            channel.close();
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.OUTPUT, file + ": cannot be removed: " + e, e);
        }
    }
}
