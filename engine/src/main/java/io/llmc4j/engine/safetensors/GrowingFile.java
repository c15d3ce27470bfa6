package io.llmc4j.engine.safetensors;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A safetensors file whose tensors are not known beforehand. Room for the header is left at the front, tensors follow in the order in which they
 * come, and {@link #finish} writes the header into its room: nothing is copied, and the disk holds one copy. Where that cannot be (a header larger
 * than its room, a tensor that would not lie on a multiple of its type's size) the tensors are copied once, into another file.
 */
public final class GrowingFile implements AutoCloseable {

    private static final int PIECE = 1 << 20;

    private final Path path;
    private final Map<String, String> metadata;
    private final int room;
    private final FileChannel channel;
    private final List<TensorDeclaration> tensors = new ArrayList<>();
    private long dataBytes;

    private GrowingFile(Path path, int room, Map<String, String> metadata, FileChannel channel) {
        this.path = path;
        this.room = room;
        this.metadata = Map.copyOf(metadata);
        this.channel = channel;
    }

    /**
     * Begins a file. Throws UNWRITABLE.
     *
     * @param room bytes for the header, rounded up to a multiple of 64
     */
    public static GrowingFile create(Path path, int room, Map<String, String> metadata) {
        try {
            return new GrowingFile(path, Math.ceilDiv(room + 8, 64) * 64 - 8, metadata,
                    FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE));
        } catch (IOException e) {
            throw AtomicFile.unwritable(path, e);
        }
    }

    /** Goes on with a file that held these tensors, and perhaps more that are thrown away. Throws UNWRITABLE when it holds less. */
    public static GrowingFile resume(Path path, int room, Map<String, String> metadata, List<TensorDeclaration> tensors) {
        FileChannel c = null;
        try {
            c = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
            GrowingFile f = new GrowingFile(path, Math.ceilDiv(room + 8, 64) * 64 - 8, metadata, c);
            for (TensorDeclaration t : tensors) {
                f.tensors.add(t);
                f.dataBytes += t.bytes();
            }
            if (!tensors.isEmpty() && c.size() < f.dataAt() + f.dataBytes) {
                throw BadInput.of(SafetensorsError.UNWRITABLE, "%s has %d bytes, and the run before had written %d; start again without --resume", path, c.size(),
                        f.dataAt() + f.dataBytes);
            }
            c.truncate(f.dataAt() + f.dataBytes);
            return f;
        } catch (IOException e) {
            SafetensorsWriter.closeQuietly(c);
            throw AtomicFile.unwritable(path, e);
        } catch (BadInput e) {
            SafetensorsWriter.closeQuietly(c);
            throw e;
        }
    }

    private long dataAt() {
        return 8L + room;
    }

    /** What is in the file, in its order. */
    public List<TensorDeclaration> tensors() {
        return List.copyOf(tensors);
    }

    /** Bytes of all tensors together. */
    public long dataBytes() {
        return dataBytes;
    }

    /**
     * Appends a tensor and feeds its bytes to {@code digest} too. Throws NON_FINITE naming it, and UNWRITABLE.
     */
    public void append(String name, Tensor t, MessageDigest digest) {
        MemorySegment bytes = t.bytes();
        FiniteCheck.require(path, name, t.dtype(), t.shape(), bytes);
        try {
            long p = dataAt() + dataBytes;
            for (long i = 0; i < bytes.byteSize(); i += PIECE) {
                ByteBuffer b = SafetensorsWriter.buffer(bytes.asSlice(i, Math.min(PIECE, bytes.byteSize() - i)));
                digest.update(b.duplicate());
                while (b.hasRemaining()) {
                    p += channel.write(b, p);
                }
            }
        } catch (IOException e) {
            throw AtomicFile.unwritable(path, bytes.byteSize(), e);
        }
        tensors.add(TensorDeclaration.of(name, t));
        dataBytes += bytes.byteSize();
    }

    /** Puts everything on the disk, so that a journal may say so. */
    public void force() {
        try {
            channel.force(false);
        } catch (IOException e) {
            throw AtomicFile.unwritable(path, e);
        }
    }

    /**
     * Ends the file. The result lies at this file's own path, or at {@code copy} where the tensors had to be put in another order; this file stays
     * then, for its owner to delete when nobody can need it any more.
     */
    public WrittenFile finish(Path copy) {
        Map<String, TensorEntry> entries = new LinkedHashMap<>();
        boolean aligned = true;
        long at = 0;
        for (TensorDeclaration t : tensors) {
            aligned &= at * 8 % Math.max(8, t.dtype().bits()) == 0;
            entries.put(t.name(), new TensorEntry(t.name(), t.dtype(), t.shape(), at, at + t.bytes()));
            at += t.bytes();
        }
        byte[] prefix = HeaderLayout.prefix(entries, metadata, room);
        if (!aligned || prefix.length != dataAt()) {
            return copied(copy);
        }
        try {
            ByteBuffer b = ByteBuffer.wrap(prefix);
            while (b.hasRemaining()) {
                channel.write(b, b.position());
            }
            channel.force(true);
            WrittenFile done = new WrittenFile(path, dataAt() + dataBytes, digest());
            channel.close();
            return done;
        } catch (IOException e) {
            throw AtomicFile.unwritable(path, e);
        }
    }

    private String digest() throws IOException {
        MessageDigest sha = AtomicFile.sha256();
        ByteBuffer b = ByteBuffer.allocateDirect(PIECE);
        for (long at = 0; at < dataAt() + dataBytes; at += b.limit()) {
            b.clear();
            if (channel.read(b, at) < 0) {
                throw new IOException("the file became shorter");
            }
            sha.update(b.flip());
        }
        return HexFormat.of().formatHex(sha.digest());
    }

    private WrittenFile copied(Path to) {
        try (Arena arena = Arena.ofConfined(); SafetensorsWriter w = SafetensorsWriter.create(to, tensors, metadata, WriterOptions.STRICT)) {
            MemorySegment all = channel.map(FileChannel.MapMode.READ_ONLY, dataAt(), dataBytes, arena);
            Map<String, MemorySegment> where = new HashMap<>();
            long at = 0;
            for (TensorDeclaration t : tensors) {
                where.put(t.name(), all.asSlice(at, t.bytes()));
                at += t.bytes();
            }
            for (String name : w.order()) {
                w.append(name, where.get(name));
            }
            WrittenFile done = w.finish();
            channel.close();
            return done;
        } catch (IOException e) {
            throw AtomicFile.unwritable(to, e);
        }
    }

    /** Closes; the file stays as it is. */
    @Override
    public void close() {
        SafetensorsWriter.closeQuietly(channel);
    }
}
