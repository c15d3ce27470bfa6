package io.llmc4j.engine.safetensors;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.tensor.Tensor;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.zip.GZIPInputStream;

/**
 * One safetensors file, mapped read-only, of any size. Everything about its layout is checked when it is opened; a tensor is then a view without
 * a copy, valid until this is closed. Each fault is a {@link BadInput} with its own {@link SafetensorsError}.
 */
public final class SafetensorsFile implements AutoCloseable {

    private static final ValueLayout.OfLong LENGTH = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final String name;
    private final Optional<Stamp> stamp;
    private final Arena arena;
    private final MemorySegment data;
    private final SafetensorsHeader header;

    /** What tells that a file on disk is still the one that was mapped. */
    private record Stamp(Path path, long size, FileTime modified) {
        static Stamp of(Path path) throws IOException {
            return new Stamp(path, Files.size(path), Files.getLastModifiedTime(path));
        }
    }

    private SafetensorsFile(String name, Optional<Stamp> stamp, Arena arena, MemorySegment all, boolean strict) {
        this.name = name;
        this.stamp = stamp;
        this.arena = arena;
        long size = all.byteSize();
        if (size < 8) {
            throw BadInput.of(SafetensorsError.TOO_SHORT, "%s: %d bytes are no safetensors file, which begins with eight bytes of header length", name, size);
        }
        long n = all.get(LENGTH, 0);
        if (n < 0 || n > SafetensorsHeader.MAX_HEADER) {
            throw BadInput.of(SafetensorsError.HEADER_TOO_LARGE, "%s: a header of %s bytes, at most %d are taken; is this a safetensors file?",
                    name, Long.toUnsignedString(n), SafetensorsHeader.MAX_HEADER);
        }
        if (n > size - 8) {
            throw BadInput.of(SafetensorsError.HEADER_PAST_END, "%s: the header should have %d bytes, the file has %d in all; is it truncated?", name, n, size);
        }
        this.data = all.asSlice(8 + n);
        InputStream json = new SegmentStream(all.asSlice(8, n));
        this.header = strict ? SafetensorsHeader.parse(json, data.byteSize(), name) : SafetensorsHeader.salvage(json, data.byteSize(), name);
    }

    /** Maps a file. */
    public static SafetensorsFile open(Path path) {
        return open(path, true);
    }

    /** Maps a file that need not be whole: the tensors that lie inside it. For telling what is left of a damaged file; throws when its header cannot be read. */
    public static SafetensorsFile salvage(Path path) {
        return open(path, false);
    }

    private static SafetensorsFile open(Path path, boolean strict) {
        Arena arena = Arena.ofShared();
        try {
            Stamp stamp = Stamp.of(path);
            try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
                MemorySegment all = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
                return new SafetensorsFile(path.toString(), Optional.of(stamp), arena, all, strict);
            }
        } catch (NoSuchFileException e) {
            arena.close();
            throw new BadInput(SafetensorsError.UNREADABLE, path + ": no such file", e);
        } catch (IOException | UnsupportedOperationException e) {
            arena.close();
            throw new BadInput(SafetensorsError.UNREADABLE, path + ": cannot be read: " + e.getMessage(), e);
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /** The same over bytes that are in memory already; {@code name} is for messages. */
    public static SafetensorsFile of(byte[] file, String name) {
        Arena arena = Arena.ofShared();
        try {
            MemorySegment all = arena.allocate(file.length, 16);
            MemorySegment.copy(file, 0, all, ValueLayout.JAVA_BYTE, 0, file.length);
            return new SafetensorsFile(name, Optional.empty(), arena, all, true);
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /** A gzip-compressed safetensors file, unpacked into memory. For small files such as test data. */
    public static SafetensorsFile ofGzip(Path path) {
        try (InputStream in = new GZIPInputStream(Files.newInputStream(path))) {
            return of(in.readAllBytes(), path.toString());
        } catch (IOException e) {
            throw new BadInput(SafetensorsError.UNREADABLE, path + ": cannot be unpacked: " + e.getMessage(), e);
        }
    }

    /** The names in the header's order. */
    public List<String> names() {
        return List.copyOf(header.tensors().keySet());
    }

    /** Header entries by name, in the header's order. */
    public Map<String, TensorEntry> entries() {
        return header.tensors();
    }

    public Map<String, String> metadata() {
        return header.metadata();
    }

    public boolean contains(String tensor) {
        return header.tensors().containsKey(tensor);
    }

    /** A view of the tensor; throws NO_SUCH_TENSOR. */
    public Tensor tensor(String tensor) {
        TensorEntry e = header.tensors().get(tensor);
        if (e == null) {
            throw BadInput.of(SafetensorsError.NO_SUCH_TENSOR, "%s: no tensor '%s' among its %d", name, tensor, header.tensors().size());
        }
        return new Tensor(e.dtype(), e.shape(), data.asSlice(e.begin(), e.bytes()));
    }

    public Optional<Tensor> find(String tensor) {
        return contains(tensor) ? Optional.of(tensor(tensor)) : Optional.empty();
    }

    /** Bytes of all tensors together. */
    public long dataBytes() {
        return data.byteSize();
    }

    /** The path or the name that it was opened under. */
    public String name() {
        return name;
    }

    /** Throws CHANGED when the file on disk has another size or time than when it was opened; its mapped bytes cannot be trusted then. */
    public void checkUnchanged() {
        if (stamp.isEmpty()) {
            return;
        }
        Stamp now;
        try {
            now = Stamp.of(stamp.get().path());
        } catch (IOException e) {
            throw new BadInput(SafetensorsError.CHANGED, name + ": the file vanished while it was in use: " + e.getMessage(), e);
        }
        if (!now.equals(stamp.get())) {
            throw BadInput.of(SafetensorsError.CHANGED, "%s: the file changed while it was in use (%d bytes of %s, now %d of %s); put it back as it was, its time included, or start again",
                    name, stamp.get().size(), stamp.get().modified(), now.size(), now.modified());
        }
    }

    /** Lets the pages that were read leave the memory of this process; they are read again when they are needed. */
    public void release() {
        if (data.isMapped()) {
            data.unload();
        }
    }

    @Override
    public void close() {
        arena.close();
    }

    /** A segment's bytes as a stream. */
    private static final class SegmentStream extends InputStream {
        private final MemorySegment segment;
        private long at;

        SegmentStream(MemorySegment segment) {
            this.segment = segment;
        }

        @Override
        public int read() {
            return at == segment.byteSize() ? -1 : segment.get(ValueLayout.JAVA_BYTE, at++) & 0xff;
        }

        @Override
        public int read(byte[] b, int off, int len) {
            if (at == segment.byteSize()) {
                return -1;
            }
            int n = (int) Math.min(len, segment.byteSize() - at);
            MemorySegment.copy(segment, ValueLayout.JAVA_BYTE, at, b, off, n);
            at += n;
            return n;
        }
    }
}
