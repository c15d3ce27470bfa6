package io.llmc4j.formats.export.gguf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.formats.export.gguf.block.GgmlType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One GGUF file, mapped: metadata, tensor entries, bytes. Reading is strict: anything that llama.cpp refuses is refused here, each with a
 * {@link GgufError}. A split model is several of these: {@link GgufModelFiles}.
 */
public final class GgufFile implements AutoCloseable {

    static final int MAGIC = 0x46554747;
    static final int DEFAULT_ALIGNMENT = 32;
    static final int LONGEST_NAME = 63;
    static final String ALIGNMENT = "general.alignment";
    private static final int MOST_DIMS = 4;

    private final Path path;
    private final Arena arena;
    private final GgufMetadata metadata;
    private final Map<String, GgufTensorInfo> tensors;
    private final MemorySegment data;

    private GgufFile(Path path, Arena arena, GgufMetadata metadata, Map<String, GgufTensorInfo> tensors, MemorySegment data) {
        this.path = path;
        this.arena = arena;
        this.metadata = metadata;
        this.tensors = tensors;
        this.data = data;
    }

    /** Maps and checks a file; {@link #close()} unmaps. */
    public static GgufFile open(Path path) {
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            if (Files.isDirectory(path)) {
                throw BadInput.of(GgufError.NOT_GGUF, "%s is a directory", path);
            }
            MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            return read(path, arena, bytes);
        } catch (NoSuchFileException e) {
            arena.close();
            throw new BadInput(BadInput.Common.DATA, path + " does not exist", e);
        } catch (IOException e) {
            arena.close();
            throw new BadInput(BadInput.Common.DATA, "cannot read " + path + ": " + e.getMessage(), e);
        } catch (RuntimeException e) {
            if (arena.scope().isAlive()) {
                arena.close();
            }
            throw e;
        }
    }

    private static GgufFile read(Path path, Arena arena, MemorySegment bytes) {
        GgufCursor in = new GgufCursor(path.toString(), bytes);
        if (bytes.byteSize() < 4 || in.u32("the magic") != MAGIC) {
            throw in.bad(GgufError.NOT_GGUF, "the file does not begin with the letters GGUF");
        }
        int version = in.u32("the version");
        if (version != 2 && version != 3) {
            boolean swapped = (version & 0xffff) == 0;
            throw in.bad(GgufError.VERSION, "version %s; 2 and 3 are read%s", Integer.toUnsignedString(version),
                    swapped ? " (the numbers look big-endian)" : "");
        }
        int tensorCount = in.count("the number of tensors", 24);
        int keyCount = in.count("the number of metadata pairs", 13);
        GgufMetadata metadata = new GgufMetadata();
        for (int i = 0; i < keyCount; i++) {
            String key = in.text("key " + i);
            if (metadata.has(key)) {
                throw in.bad(GgufError.DUPLICATE, "the key %s is there twice", key);
            }
            metadata.put(key, in.value(key));
        }
        long alignment = metadata.whole(ALIGNMENT).orElse((long) DEFAULT_ALIGNMENT);
        if (alignment < 1 || alignment > 1 << 30 || Long.bitCount(alignment) != 1) {
            throw in.bad(GgufError.OFFSET, "%s is %d; a power of two is needed", ALIGNMENT, alignment);
        }
        Map<String, GgufTensorInfo> tensors = new LinkedHashMap<>();
        long next = 0;
        for (int i = 0; i < tensorCount; i++) {
            GgufTensorInfo t = tensor(in, i);
            if (tensors.put(t.name(), t) != null) {
                throw in.bad(GgufError.DUPLICATE, "the tensor %s is there twice", t.name());
            }
            if (t.offset() != next) {
                throw in.bad(GgufError.OFFSET, "the tensor %s begins at %s; the one before it ends at %d", t.name(),
                        Long.toUnsignedString(t.offset()), next);
            }
            next = align(Math.addExact(next, t.bytes()), alignment);
        }
        long start = align(in.at(), alignment);
        long size = next == 0 ? 0 : lastEnd(tensors);
        if (start + size > bytes.byteSize() && size > 0) {
            throw in.bad(GgufError.TRUNCATED, "the tensors need %d bytes; the file has %d", start + size, bytes.byteSize());
        }
        return new GgufFile(path, arena, metadata, tensors, bytes.asSlice(Math.min(start, bytes.byteSize())));
    }

    private static long lastEnd(Map<String, GgufTensorInfo> tensors) {
        GgufTensorInfo last = null;
        for (GgufTensorInfo t : tensors.values()) {
            last = t;
        }
        return last.offset() + last.bytes();
    }

    static long align(long at, long alignment) {
        return Math.addExact(at, alignment - 1) & -alignment;
    }

    private static GgufTensorInfo tensor(GgufCursor in, int index) {
        String name = in.text("the name of tensor " + index);
        if (name.getBytes(java.nio.charset.StandardCharsets.UTF_8).length > LONGEST_NAME) {
            throw in.bad(GgufError.LIMIT, "the tensor name %s is longer than %d bytes", name, LONGEST_NAME);
        }
        int rank = in.u32("the rank of " + name);
        if (rank < 0 || rank > MOST_DIMS) {
            throw in.bad(GgufError.SHAPE, "%s has %s dimensions; at most %d are allowed", name, Integer.toUnsignedString(rank), MOST_DIMS);
        }
        long[] dims = new long[rank];
        for (int d = rank - 1; d >= 0; d--) {
            dims[d] = in.u64("the shape of " + name);
            if (dims[d] < 0) {
                throw in.bad(GgufError.SHAPE, "%s has an extent of %s", name, Long.toUnsignedString(dims[d]));
            }
        }
        int id = in.u32("the type of " + name);
        GgmlType type = GgmlType.byId(id).orElseThrow(() -> in.bad(GgufError.TYPE, "%s has the tensor type %s, which is not known", name,
                Integer.toUnsignedString(id)));
        long offset = in.u64("the offset of " + name);
        GgufTensorInfo t = new GgufTensorInfo(name, new Shape(dims), type, offset);
        if (!type.fits(t.rowElements())) {
            throw in.bad(GgufError.SHAPE, "%s has rows of %d elements; %s has blocks of %d", name, t.rowElements(), type, type.elements());
        }
        try {
            t.bytes();
        } catch (ArithmeticException e) {
            throw in.bad(GgufError.SHAPE, "%s is too large: %s", name, t.shape());
        }
        return t;
    }

    public Path path() {
        return path;
    }

    public GgufMetadata metadata() {
        return metadata;
    }

    /** Tensors in file order. */
    public List<GgufTensorInfo> tensors() {
        return new ArrayList<>(tensors.values());
    }

    /** The tensor's bytes; valid until {@link #close()}. */
    public MemorySegment bytes(GgufTensorInfo t) {
        return data.asSlice(t.offset(), t.bytes());
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
}
