package io.llmc4j.engine.safetensors;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Writes one safetensors file without holding it in memory. All tensors are declared first, so that every place in the file is known; their bytes
 * then come in any order, whole or in parts. Until {@link #finish} the file has the name of {@link AtomicFile#partial}; then it is forced to the
 * disk and renamed. Where tensors come in the file's order, the checksum costs no second reading.
 *
 * <p>{@link #suspend} leaves the partial file for a later {@link #resume}; {@link #close} without either removes it.
 */
public final class SafetensorsWriter implements AutoCloseable {

    private static final int PIECE = 1 << 20;

    private final Path target;
    private final Path partial;
    private final HeaderLayout layout;
    private final WriterOptions options;
    private final FileChannel channel;
    private final Map<String, Long> written = new HashMap<>();
    private final MessageDigest digest = AtomicFile.sha256();
    private long digested;

    private SafetensorsWriter(Path target, HeaderLayout layout, WriterOptions options, FileChannel channel) {
        this.target = target;
        this.partial = AtomicFile.partial(target);
        this.layout = layout;
        this.options = options;
        this.channel = channel;
    }

    /** Begins a file; a partial file that is in the way is overwritten. Throws UNWRITABLE, also when the disk has too little room. */
    public static SafetensorsWriter create(Path target, List<TensorDeclaration> tensors, Map<String, String> metadata, WriterOptions options) {
        HeaderLayout layout = HeaderLayout.of(tensors, metadata);
        Path partial = AtomicFile.partial(target);
        try {
            Files.deleteIfExists(partial);
            long free = Files.getFileStore(target.toAbsolutePath().getParent()).getUsableSpace();
            if (free < layout.fileBytes()) {
                throw BadInput.of(SafetensorsError.UNWRITABLE, "%s: needs %d bytes, the disk has %d free", target, layout.fileBytes(), free);
            }
            FileChannel c = FileChannel.open(partial, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE);
            SafetensorsWriter w = new SafetensorsWriter(target, layout, options, c);
            w.put(0, MemorySegment.ofArray(layout.prefix()));
            return w;
        } catch (IOException e) {
            throw AtomicFile.unwritable(target, e);
        }
    }

    /**
     * Goes on with a suspended (or killed) file: {@code complete} names the tensors whose bytes are known to be down. Throws UNWRITABLE when the
     * partial file is missing or belongs to another layout.
     */
    public static SafetensorsWriter resume(Path target, List<TensorDeclaration> tensors, Map<String, String> metadata, WriterOptions options, Set<String> complete) {
        HeaderLayout layout = HeaderLayout.of(tensors, metadata);
        Path partial = AtomicFile.partial(target);
        FileChannel c = null;
        try {
            c = FileChannel.open(partial, StandardOpenOption.READ, StandardOpenOption.WRITE);
            ByteBuffer head = ByteBuffer.allocate(layout.prefix().length);
            while (head.hasRemaining() && c.read(head, head.position()) >= 0) {
                // until the prefix is there or the file ends
            }
            if (!Arrays.equals(head.array(), layout.prefix())) {
                throw BadInput.of(SafetensorsError.UNWRITABLE, "%s was begun for other tensors; remove it and start the run again", partial);
            }
            SafetensorsWriter w = new SafetensorsWriter(target, layout, options, c);
            for (String name : complete) {
                TensorEntry e = layout.entries().get(name);
                if (e == null || layout.prefix().length + e.end() > c.size()) {
                    throw BadInput.of(SafetensorsError.UNWRITABLE, "%s does not hold tensor '%s'; remove it and start the run again", partial, name);
                }
                w.written.put(name, e.bytes());
            }
            return w;
        } catch (IOException e) {
            closeQuietly(c);
            throw AtomicFile.unwritable(partial, e);
        } catch (BadInput e) {
            closeQuietly(c);
            throw e;
        }
    }

    /** The names in the file's order: writing in it is fastest. */
    public List<String> order() {
        return List.copyOf(layout.entries().keySet());
    }

    /** Size that the file will have. */
    public long fileBytes() {
        return layout.fileBytes();
    }

    /** Writes a whole tensor; type and shape must be as declared. Throws NON_FINITE, UNWRITABLE. */
    public void write(String name, Tensor t) {
        TensorEntry e = entry(name);
        if (e.dtype() != t.dtype() || !e.shape().equals(t.shape())) {
            throw new IllegalArgumentException("tensor '" + name + "' was declared " + e.dtype() + e.shape() + ", got " + t.dtype() + t.shape());
        }
        written.remove(name);
        append(name, t.bytes());
    }

    /** Writes the next bytes of a tensor (whole elements). */
    public void append(String name, MemorySegment bytes) {
        TensorEntry e = entry(name);
        long at = written.getOrDefault(name, 0L);
        if (at + bytes.byteSize() > e.bytes() || bytes.byteSize() * 8 % e.dtype().bits() != 0) {
            throw new IllegalArgumentException("tensor '" + name + "' of " + e.bytes() + " bytes: cannot add " + bytes.byteSize() + " after " + at);
        }
        if (!options.allowNonFinite()) {
            long bad = FiniteCheck.firstNonFinite(e.dtype(), bytes);
            if (bad >= 0) {
                throw BadInput.of(SafetensorsError.NON_FINITE, "%s: tensor '%s' %s%s has a NaN or an infinity at element %d; nothing was written under that name",
                        target, name, e.dtype(), e.shape(), at * 8 / e.dtype().bits() + bad);
            }
        }
        try {
            put(layout.prefix().length + e.begin() + at, bytes);
        } catch (IOException x) {
            throw AtomicFile.unwritable(target, bytes.byteSize(), x);
        }
        written.put(name, at + bytes.byteSize());
    }

    private TensorEntry entry(String name) {
        TensorEntry e = layout.entries().get(name);
        if (e == null) {
            throw new IllegalArgumentException("tensor '" + name + "' was not declared");
        }
        return e;
    }

    private void put(long position, MemorySegment bytes) throws IOException {
        for (long i = 0; i < bytes.byteSize(); i += PIECE) {
            ByteBuffer b = buffer(bytes.asSlice(i, Math.min(PIECE, bytes.byteSize() - i)));
            if (position + i == digested) {
                digest.update(b.duplicate());
                digested += b.remaining();
            }
            long p = position + i;
            while (b.hasRemaining()) {
                p += channel.write(b, p);
            }
        }
    }

    /** Segments over arrays of wider elements have no byte buffer of their own. */
    static ByteBuffer buffer(MemorySegment piece) {
        return piece.heapBase().filter(base -> !(base instanceof byte[])).isPresent()
                ? ByteBuffer.wrap(piece.toArray(java.lang.foreign.ValueLayout.JAVA_BYTE)) : piece.asByteBuffer();
    }

    /** Puts everything written so far on the disk, so that a journal may say so. */
    public void force() {
        try {
            channel.force(false);
        } catch (IOException e) {
            throw AtomicFile.unwritable(target, e);
        }
    }

    /** The tensors that are not complete. */
    public List<String> missing() {
        List<String> missing = new ArrayList<>();
        for (TensorEntry e : layout.entries().values()) {
            if (written.getOrDefault(e.name(), e.bytes() == 0 ? 0L : -1L) != e.bytes()) {
                missing.add(e.name());
            }
        }
        return missing;
    }

    /** Makes the file appear under its name. Throws IllegalStateException when a declared tensor was not written. */
    public WrittenFile finish() {
        List<String> missing = missing();
        if (!missing.isEmpty()) {
            throw new IllegalStateException(target + ": " + missing.size() + " declared tensors were not written, first " + missing.getFirst());
        }
        try {
            digestRest();
            channel.force(true);
            channel.close();
            AtomicFile.commit(partial, target);
        } catch (IOException e) {
            throw AtomicFile.unwritable(target, e);
        }
        return new WrittenFile(target, layout.fileBytes(), HexFormat.of().formatHex(digest.digest()));
    }

    private void digestRest() throws IOException {
        ByteBuffer b = ByteBuffer.allocateDirect(PIECE);
        while (digested < layout.fileBytes()) {
            b.clear().limit((int) Math.min(PIECE, layout.fileBytes() - digested));
            int n = channel.read(b, digested);
            if (n < 0) {
                throw new IOException("the partial file became shorter");
            }
            digest.update(b.flip());
            digested += n;
        }
    }

    /** Closes and keeps the partial file, its bytes on the disk. */
    public void suspend() {
        force();
        closeQuietly(channel);
    }

    /** Removes the partial file unless {@link #finish} or {@link #suspend} came before. */
    @Override
    public void close() {
        if (channel.isOpen()) {
            closeQuietly(channel);
            AtomicFile.deleteQuietly(partial);
        }
    }

    static void closeQuietly(FileChannel c) {
        if (c != null) {
            try {
                c.close();
            } catch (IOException e) {
                // its bytes were forced, or are to be thrown away
            }
        }
    }
}
