package io.llmc4j.formats.export.gguf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.AtomicFile;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.formats.export.gguf.block.GgmlType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Writes a GGUF file (version 3) or, above a size, a split one ({@code name-00001-of-00003.gguf}). Tensors come one after another as they
 * are made, and nothing but their entries stays in memory: their bytes go to a file beside the target, behind room for the header ({@link #reserve}).
 * {@link #finish()} writes the header into its room and renames, so a target is whole or absent and the disk holds one copy. Where the header has
 * another size than was foreseen, and in split files, the bytes are copied once.
 */
public final class GgufWriter implements AutoCloseable {

    private static final String SUFFIX = ".gguf";

    private final Path target;
    private final GgufMetadata metadata;
    private final long splitBytes;
    private final long alignment;
    private final List<Part> parts = new ArrayList<>();
    private final Set<String> names = new HashSet<>();
    private final List<Path> temporary = new ArrayList<>();
    private long room;
    private long left;
    private boolean finished;

    /**
     * @param target     "model.gguf"
     * @param metadata   complete at {@link #finish()}, not before
     * @param splitBytes tensor bytes after which a new part begins; 0: one file
     */
    public GgufWriter(Path target, GgufMetadata metadata, long splitBytes) {
        if (!target.getFileName().toString().endsWith(SUFFIX)) {
            throw BadInput.of(BadInput.Common.OUTPUT, "%s: the name of a GGUF file ends in %s", target, SUFFIX);
        }
        this.target = target;
        this.metadata = metadata;
        this.splitBytes = splitBytes;
        this.alignment = metadata.whole(GgufFile.ALIGNMENT).orElse((long) GgufFile.DEFAULT_ALIGNMENT);
    }

    /** Tensors of one file and where their bytes wait. */
    private static final class Part {
        private final Path path;
        private final FileChannel channel;
        private final List<GgufTensorInfo> tensors = new ArrayList<>();
        /** Where the tensors begin. */
        private final long start;
        private long size;

        Part(Path path, long start, OpenOption... how) throws IOException {
            this.path = path;
            this.start = start;
            this.channel = FileChannel.open(path, how).position(start);
        }
    }

    /**
     * Before the first tensor: room for a header of this metadata and these tensors. Their types and offsets do not change its size. A split file's
     * parts are not known beforehand, and get none.
     */
    public void reserve(GgufMetadata expected, List<GgufTensorInfo> tensors) {
        room = splitBytes > 0 ? 0 : GgufFile.align(new GgufHeader(expected, tensors).bytes().length, alignment);
    }

    long room() {
        return room;
    }

    /** Begins a tensor; exactly its bytes must follow by {@link #write}. */
    public void begin(String name, Shape shape, GgmlType type) {
        if (left != 0) {
            throw new IllegalStateException(left + " bytes are missing before " + name);
        }
        if (name.getBytes(StandardCharsets.UTF_8).length > GgufFile.LONGEST_NAME) {
            throw BadInput.of(GgufError.LIMIT, "the tensor name %s is longer than %d bytes", name, GgufFile.LONGEST_NAME);
        }
        if (!names.add(name)) {
            throw new IllegalStateException("two tensors named " + name);
        }
        try {
            GgufTensorInfo info = new GgufTensorInfo(name, shape, type, 0);
            Part part = parts.isEmpty() ? null : parts.getLast();
            if (part == null || splitBytes > 0 && part.size > 0 && part.size + info.bytes() > splitBytes) {
                part = fresh();
                parts.add(part);
            }
            long offset = GgufFile.align(part.size, alignment);
            zeros(part.channel, offset - part.size);
            part.tensors.add(new GgufTensorInfo(name, shape, type, offset));
            part.size = offset + info.bytes();
            left = info.bytes();
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private Part fresh() throws IOException {
        return new Part(temporary("data" + parts.size()), room, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE);
    }

    /** The next bytes of the tensor that was begun. */
    public void write(byte[] bytes, int off, int length) {
        if (length > left) {
            throw new IllegalStateException(length + " bytes where " + left + " are left");
        }
        try {
            writeFully(parts.getLast().channel, ByteBuffer.wrap(bytes, off, length));
        } catch (IOException e) {
            throw AtomicFile.unwritable(target, left, e);
        }
        left -= length;
    }

    /**
     * Puts on the disk what was written, and tells where each part stands: a list of its tensors an entry. {@link #resume} goes on there.
     */
    public List<List<GgufTensorInfo>> mark() {
        if (left != 0) {
            throw new IllegalStateException(left + " bytes of the last tensor are missing");
        }
        try {
            for (Part p : parts) {
                if (p.channel.isOpen()) {
                    p.channel.force(false);
                }
            }
        } catch (IOException e) {
            throw failed(e);
        }
        return parts.stream().map(p -> List.copyOf(p.tensors)).toList();
    }

    /** In place of the first {@link #begin}: the parts of another writer of this target, with this room, as they were when {@link #mark} was asked for. */
    void resume(List<List<GgufTensorInfo>> mark, long reserved) {
        room = reserved;
        try {
            for (List<GgufTensorInfo> tensors : mark) {
                Path path = temporary("data" + parts.size());
                if (!Files.exists(path) && Files.exists(target) && room > 0) {
                    // killed behind the rename: the finished file gets its first name back, so that one path leads to the end
                    Files.move(target, path, StandardCopyOption.ATOMIC_MOVE);
                }
                Part p = new Part(path, room, StandardOpenOption.WRITE);
                parts.add(p);
                p.tensors.addAll(tensors);
                tensors.forEach(t -> names.add(t.name()));
                p.size = tensors.isEmpty() ? 0 : tensors.getLast().offset() + tensors.getLast().bytes();
                if (p.channel.size() < p.start + p.size) {
                    throw BadInput.of(BadInput.Common.OUTPUT, "%s has %d bytes, and the run before had written %d; start again without --resume", p.path, p.channel.size(), p.start + p.size);
                }
                p.channel.truncate(p.start + p.size).position(p.start + p.size);
            }
        } catch (IOException e) {
            throw failed(e);
        }
    }

    /** Puts the files together and gives them their names; returns their paths. */
    public List<Path> finish() {
        List<Path> files = assemble();
        sweep();
        return files;
    }

    /** Deletes what {@link #assemble()} was made from. */
    void sweep() {
        try {
            for (Path p : temporary) {
                Files.deleteIfExists(p);
            }
        } catch (IOException e) {
            throw failed(e);
        }
    }

    /** {@link #finish()} without deleting what the files are made from. */
    List<Path> assemble() {
        if (left != 0) {
            throw new IllegalStateException(left + " bytes of the last tensor are missing");
        }
        try {
            if (parts.isEmpty()) {
                parts.add(fresh());
            }
            List<Path> whole = new ArrayList<>();
            for (int i = 0; i < parts.size(); i++) {
                whole.add(assemble(i));
            }
            List<Path> targets = new ArrayList<>();
            for (int i = 0; i < parts.size(); i++) {
                Path to = parts.size() == 1 ? target : partPath(target, i, parts.size());
                Files.move(whole.get(i), to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
                targets.add(to);
            }
            finished = true;
            return targets;
        } catch (IOException e) {
            throw failed(e);
        }
    }

    /** The files that tensors wait in, by name. */
    Set<String> waiting() {
        return temporary.stream().map(p -> p.getFileName().toString()).collect(java.util.stream.Collectors.toSet());
    }

    /** {@code dir/model-00002-of-00003.gguf} for part 1 of 3. */
    static Path partPath(Path target, int part, int count) {
        String name = target.getFileName().toString();
        String stem = name.substring(0, name.length() - SUFFIX.length());
        return target.resolveSibling(String.format(Locale.ROOT, "%s-%05d-of-%05d%s", stem, part + 1, count, SUFFIX));
    }

    private Path assemble(int index) throws IOException {
        Part part = parts.get(index);
        GgufMetadata header = index == 0 ? metadata.copy() : new GgufMetadata();
        if (parts.size() > 1) {
            header.u16("split.no", index).u16("split.count", parts.size()).i32("split.tensors.count", names.size());
            if (index > 0 && alignment != GgufFile.DEFAULT_ALIGNMENT) {
                header.u32(GgufFile.ALIGNMENT, alignment);
            }
        }
        byte[] bytes = new GgufHeader(header, part.tensors).bytes();
        long begin = GgufFile.align(bytes.length, alignment);
        if (begin == part.start) {
            zeros(part.channel.position(part.start + part.size), GgufFile.align(part.size, alignment) - part.size);
            writeFully(part.channel.position(0), ByteBuffer.wrap(bytes));
            zeros(part.channel, begin - bytes.length);
            part.channel.force(true);
            part.channel.close();
            return part.path;
        }
        part.channel.close();
        long free = Files.getFileStore(target.toAbsolutePath().getParent()).getUsableSpace();
        if (free < begin + part.size) {
            throw BadInput.of(BadInput.Common.OUTPUT, "%s: its tensors are other ones than those of the model that was read, and have to be copied once behind a header of another size; "
                    + "that needs %d bytes more, the disk has %d free", target, begin + part.size, free);
        }
        Path to = temporary("part" + index);
        try (FileChannel out = FileChannel.open(to, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE);
             FileChannel in = FileChannel.open(part.path, StandardOpenOption.READ)) {
            writeFully(out, ByteBuffer.wrap(bytes));
            zeros(out, begin - bytes.length);
            for (long at = 0; at < part.size;) {
                at += in.transferTo(part.start + at, part.size - at, out);
            }
            zeros(out, GgufFile.align(part.size, alignment) - part.size);
            out.force(true);
        } catch (IOException e) {
            throw AtomicFile.unwritable(target, begin + part.size, e);
        }
        return to;
    }

    private Path temporary(String what) {
        Path p = target.resolveSibling("." + target.getFileName() + "." + what + ".tmp");
        temporary.add(p);
        return p;
    }

    private static void zeros(FileChannel out, long n) throws IOException {
        if (n > 0) {
            writeFully(out, ByteBuffer.allocate(Math.toIntExact(n)));
        }
    }

    private static void writeFully(FileChannel out, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            out.write(bytes);
        }
    }

    private BadInput failed(IOException e) {
        return AtomicFile.unwritable(target, e);
    }

    /** Closes and keeps what is unfinished. */
    void suspend() {
        finished = true;
        for (Part p : parts) {
            try {
                p.channel.close();
            } catch (IOException e) {
                throw failed(e);
            }
        }
    }

    /** Deletes what is unfinished; a no-op after {@link #finish()}. */
    @Override
    public void close() {
        if (finished) {
            return;
        }
        for (Part p : parts) {
            try {
                p.channel.close();
            } catch (IOException e) {
                // The file is deleted next; that it could not be closed changes nothing.
                continue;
            }
        }
        for (Path p : temporary) {
            try {
                Files.deleteIfExists(p);
            } catch (IOException e) {
                throw failed(e);
            }
        }
    }
}
