package io.llmc4j.formats.data;

import dev.hardwood.InputFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A file that can only be read so often. On some damaged files the Parquet reader asks for the same few bytes again and again without end;
 * a sound file is never asked for much more than its own length.
 */
final class BoundedInputFile implements InputFile {

    private final InputFile file;
    private final Path path;
    private final AtomicLong calls = new AtomicLong();
    private final AtomicLong bytes = new AtomicLong();

    BoundedInputFile(Path path) {
        this.file = InputFile.of(path);
        this.path = path;
    }

    @Override
    public void open() throws IOException {
        file.open();
    }

    @Override
    public ByteBuffer readRange(long offset, int length) throws IOException {
        long size = file.length();
        if (calls.incrementAndGet() > 20_000 + size / 64 || bytes.addAndGet(Math.max(0, length)) > 64_000_000 + 16 * size) {
            throw new IOException("the file asks for the same bytes without end");
        }
        if (offset < 0 || length < 0 || offset > size - length) {
            throw new IOException(path.getFileName() + " refers to bytes " + offset + " to " + (offset + length) + " of " + size);
        }
        return file.readRange(offset, length);
    }

    @Override
    public long length() throws IOException {
        return file.length();
    }

    @Override
    public String name() {
        return file.name();
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
