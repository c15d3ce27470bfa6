package io.llmc4j.formats.export;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.AtomicFile;
import io.llmc4j.engine.safetensors.SafetensorsWriter;
import io.llmc4j.engine.safetensors.TensorDeclaration;
import io.llmc4j.engine.safetensors.WriterOptions;
import io.llmc4j.engine.safetensors.WrittenFile;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Shards of a checkpoint whose tensors are not known beforehand: a method may add biases, untie a head, leave a layer out. Tensors are staged in
 * one file; where adding a group of them would pass the limit, what is staged becomes a shard. So memory stays small, and the disk holds one shard
 * twice for a moment. Shards get their names at the end, when their number is known.
 */
final class ShardStage implements AutoCloseable {

    private static final int PIECE = 1 << 20;

    private final Path directory;
    private final long limit;
    private final Map<String, String> metadata;
    private final Path stagePath;
    private FileChannel stage;
    private final List<TensorDeclaration> staged = new ArrayList<>();
    private final List<WrittenFile> shards = new ArrayList<>();
    private final Map<String, Integer> shardOf = new TreeMap<>();
    private final Map<String, String> digests = new LinkedHashMap<>();
    private long stagedBytes;
    private long totalBytes;

    ShardStage(Path directory, long limit, Map<String, String> metadata) {
        this.directory = directory;
        this.limit = limit;
        this.metadata = Map.copyOf(metadata);
        this.stagePath = directory.resolve("tensors.staged");
        try {
            stage = FileChannel.open(stagePath, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw unwritable(e);
        }
    }

    /** Adds tensors that are to stay in one shard. */
    void add(Map<String, Tensor> group) {
        long bytes = group.values().stream().mapToLong(t -> t.bytes().byteSize()).sum();
        if (!staged.isEmpty() && stagedBytes + bytes > limit) {
            flush();
        }
        group.forEach((name, t) -> {
            if (digests.containsKey(name)) {
                throw new IllegalStateException("tensor '" + name + "' is written twice");
            }
            MessageDigest digest = sha256();
            append(t.bytes(), digest);
            staged.add(new TensorDeclaration(name, t.dtype(), t.shape()));
            digests.put(name, digest(t.dtype(), t.shape(), digest));
        });
    }

    void add(String name, Tensor t) {
        add(Map.of(name, t));
    }

    private void append(MemorySegment bytes, MessageDigest digest) {
        try {
            for (long i = 0; i < bytes.byteSize(); i += PIECE) {
                ByteBuffer b = bytes.asSlice(i, Math.min(PIECE, bytes.byteSize() - i)).asByteBuffer();
                digest.update(b.duplicate());
                while (b.hasRemaining()) {
                    stagedBytes += stage.write(b, stagedBytes);
                }
            }
        } catch (IOException e) {
            throw unwritable(e);
        }
    }

    private void flush() {
        int index = shards.size();
        Path path = directory.resolve(String.format("shard-%05d.safetensors", index + 1));
        try (Arena arena = Arena.ofConfined(); SafetensorsWriter w = SafetensorsWriter.create(path, staged, metadata, WriterOptions.STRICT)) {
            MemorySegment all = stage.map(FileChannel.MapMode.READ_ONLY, 0, stagedBytes, arena);
            Map<String, MemorySegment> where = new TreeMap<>();
            long at = 0;
            for (TensorDeclaration t : staged) {
                where.put(t.name(), all.asSlice(at, t.bytes()));
                shardOf.put(t.name(), index);
                at += t.bytes();
            }
            for (String name : w.order()) {
                w.append(name, where.get(name));
            }
            shards.add(w.finish());
            totalBytes += stagedBytes;
            stage.truncate(0);
            stagedBytes = 0;
            staged.clear();
        } catch (IOException e) {
            throw unwritable(e);
        }
    }

    /** The last shard, and all under their names, with an index when there are several. */
    List<WrittenFile> finish() {
        flush();
        try {
            stage.close();
            Files.delete(stagePath);
            List<WrittenFile> out = new ArrayList<>();
            if (shards.size() == 1) {
                out.add(renamed(shards.getFirst(), "model.safetensors"));
                return out;
            }
            for (int i = 0; i < shards.size(); i++) {
                out.add(renamed(shards.get(i), shardName(i)));
            }
            out.add(AtomicFile.write(directory.resolve("model.safetensors.index.json"), index()));
            return out;
        } catch (IOException e) {
            throw unwritable(e);
        }
    }

    private String shardName(int i) {
        return String.format("model-%05d-of-%05d.safetensors", i + 1, shards.size());
    }

    private static WrittenFile renamed(WrittenFile f, String name) throws IOException {
        Path to = f.path().resolveSibling(name);
        Files.move(f.path(), to);
        return new WrittenFile(to, f.bytes(), f.sha256());
    }

    private byte[] index() {
        Map<String, String> map = new TreeMap<>();
        shardOf.forEach((name, i) -> map.put(name, shardName(i)));
        return ConfigFile.print(ConfigFile.index(totalBytes, map)).getBytes(StandardCharsets.UTF_8);
    }

    /** What was written, by name: {@link #digest(Tensor)} of each tensor. */
    Map<String, String> digests() {
        return digests;
    }

    /** Type, shape and checksum of a tensor. */
    static String digest(Tensor t) {
        MessageDigest d = sha256();
        for (long i = 0; i < t.bytes().byteSize(); i += PIECE) {
            d.update(t.bytes().asSlice(i, Math.min(PIECE, t.bytes().byteSize() - i)).asByteBuffer());
        }
        return digest(t.dtype(), t.shape(), d);
    }

    private static String digest(DType type, Shape shape, MessageDigest d) {
        return type + shape.toString() + " " + HexFormat.of().formatHex(d.digest());
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private BadInput unwritable(IOException e) {
        return new BadInput(BadInput.Common.OUTPUT, directory + ": cannot be written: " + e.getMessage(), e);
    }

    @Override
    public void close() {
        try {
            stage.close();
        } catch (IOException e) {
            throw unwritable(e);
        }
    }
}
