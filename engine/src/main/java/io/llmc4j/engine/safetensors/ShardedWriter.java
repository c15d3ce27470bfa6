package io.llmc4j.engine.safetensors;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Writes a checkpoint of one or several files. Tensors are dealt out in the order of their declaration: a new shard begins where adding a tensor would
 * pass the limit, and a tensor larger than the limit has a shard of its own. One shard is {@code base.safetensors}; several are
 * {@code base-00001-of-0000N.safetensors} with {@code base.safetensors.index.json}, which appears last.
 */
public final class ShardedWriter implements AutoCloseable {

    /** The limit that Hugging Face tools use. */
    public static final long DEFAULT_SHARD_BYTES = 5_000_000_000L;

    private final Path directory;
    private final String base;
    private final List<SafetensorsWriter> writers = new ArrayList<>();
    private final List<Path> files = new ArrayList<>();
    private final Map<String, Integer> shardOf = new HashMap<>();
    private final TreeMap<String, String> weightMap = new TreeMap<>();
    private long totalBytes;

    /** Begins all shards; {@code directory} must exist. Throws UNWRITABLE. */
    public static ShardedWriter create(Path directory, String base, List<TensorDeclaration> tensors, long maxShardBytes,
            Map<String, String> metadata, WriterOptions options) {
        return new ShardedWriter(directory, base, tensors, maxShardBytes, metadata, options, null);
    }

    /** Goes on with what was suspended or killed; {@code complete} are the tensors whose bytes are down. Shards that were finished already stay. */
    public static ShardedWriter resume(Path directory, String base, List<TensorDeclaration> tensors, long maxShardBytes,
            Map<String, String> metadata, WriterOptions options, Set<String> complete) {
        return new ShardedWriter(directory, base, tensors, maxShardBytes, metadata, options, complete);
    }

    private ShardedWriter(Path directory, String base, List<TensorDeclaration> tensors, long maxShardBytes,
            Map<String, String> metadata, WriterOptions options, Set<String> complete) {
        this.directory = directory;
        this.base = base;
        List<List<TensorDeclaration>> shards = deal(tensors, maxShardBytes);
        checkSpace(tensors, complete);
        try {
            for (int i = 0; i < shards.size(); i++) {
                String file = shards.size() == 1 ? base + ".safetensors" : String.format("%s-%05d-of-%05d.safetensors", base, i + 1, shards.size());
                Path path = directory.resolve(file);
                List<TensorDeclaration> shard = shards.get(i);
                for (TensorDeclaration t : shard) {
                    if (shardOf.put(t.name(), i) != null) {
                        throw new IllegalArgumentException("tensor '" + t.name() + "' is declared twice");
                    }
                    weightMap.put(t.name(), file);
                    totalBytes = Math.addExact(totalBytes, t.bytes());
                }
                files.add(path);
                writers.add(complete == null ? SafetensorsWriter.create(path, shard, metadata, options) : reopen(path, shard, metadata, options, complete));
            }
        } catch (RuntimeException e) {
            if (complete == null) {
                close();
            } else {
                suspend();
            }
            throw e;
        }
    }

    private static SafetensorsWriter reopen(Path path, List<TensorDeclaration> shard, Map<String, String> metadata, WriterOptions options, Set<String> complete) {
        Set<String> here = new HashSet<>();
        for (TensorDeclaration t : shard) {
            if (complete.contains(t.name())) {
                here.add(t.name());
            }
        }
        if (Files.exists(path) && !Files.exists(AtomicFile.partial(path)) && here.size() == shard.size()) {
            // killed between the rename of this shard and the end: take the finished file back, so that one path leads to the end
            try {
                Files.move(path, AtomicFile.partial(path));
            } catch (IOException e) {
                throw AtomicFile.unwritable(path, e);
            }
        }
        if (here.isEmpty()) {
            return SafetensorsWriter.create(path, shard, metadata, options);
        }
        return SafetensorsWriter.resume(path, shard, metadata, options, here);
    }

    private void checkSpace(List<TensorDeclaration> tensors, Set<String> complete) {
        long need = 0;
        for (TensorDeclaration t : tensors) {
            need = Math.addExact(need, complete == null || !complete.contains(t.name()) ? t.bytes() : 0);
        }
        try {
            long free = Files.getFileStore(directory).getUsableSpace();
            if (free < need) {
                throw BadInput.of(SafetensorsError.UNWRITABLE, "%s: the checkpoint needs %d bytes more, the disk has %d free", directory, need, free);
            }
        } catch (IOException e) {
            throw AtomicFile.unwritable(directory, e);
        }
    }

    private static List<List<TensorDeclaration>> deal(List<TensorDeclaration> tensors, long limit) {
        List<List<TensorDeclaration>> shards = new ArrayList<>();
        List<TensorDeclaration> shard = new ArrayList<>();
        long bytes = 0;
        for (TensorDeclaration t : tensors) {
            if (!shard.isEmpty() && bytes + t.bytes() > limit) {
                shards.add(shard);
                shard = new ArrayList<>();
                bytes = 0;
            }
            shard.add(t);
            bytes += t.bytes();
        }
        shards.add(shard);
        return shards;
    }

    /** How many files. */
    public int shards() {
        return files.size();
    }

    /** The file that a tensor goes to. */
    public Path fileOf(String tensor) {
        return files.get(index(tensor));
    }

    public void write(String name, Tensor t) {
        writers.get(index(name)).write(name, t);
    }

    /** The next bytes of a tensor (whole elements). */
    public void append(String name, MemorySegment bytes) {
        writers.get(index(name)).append(name, bytes);
    }

    private int index(String tensor) {
        Integer i = shardOf.get(tensor);
        if (i == null) {
            throw new IllegalArgumentException("tensor '" + tensor + "' was not declared");
        }
        return i;
    }

    /** Puts everything written so far on the disk. */
    public void force() {
        writers.forEach(SafetensorsWriter::force);
    }

    /** The tensors that are not complete. */
    public List<String> missing() {
        List<String> missing = new ArrayList<>();
        writers.forEach(w -> missing.addAll(w.missing()));
        return missing;
    }

    /** Makes all files appear, the index last. Throws IllegalStateException when a declared tensor was not written, before any file appears. */
    public List<WrittenFile> finish() {
        List<String> missing = missing();
        if (!missing.isEmpty()) {
            throw new IllegalStateException(directory + ": " + missing.size() + " declared tensors were not written, first " + missing.getFirst());
        }
        List<WrittenFile> all = new ArrayList<>();
        for (SafetensorsWriter w : writers) {
            all.add(w.finish());
        }
        if (files.size() > 1) {
            all.add(AtomicFile.write(directory.resolve(base + ".safetensors.index.json"), index()));
        }
        return all;
    }

    private byte[] index() {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (JsonGenerator g = SafetensorsHeader.JSON.createGenerator(out).setPrettyPrinter(new DefaultPrettyPrinter())) {
            g.writeStartObject();
            g.writeObjectFieldStart("metadata");
            g.writeNumberField("total_size", totalBytes);
            g.writeEndObject();
            g.writeObjectFieldStart("weight_map");
            for (Map.Entry<String, String> e : weightMap.entrySet()) {
                g.writeStringField(e.getKey(), e.getValue());
            }
            g.writeEndObject();
            g.writeEndObject();
            g.writeRaw('\n');
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    /** Closes and keeps the partial files, their bytes on the disk. */
    public void suspend() {
        writers.forEach(SafetensorsWriter::suspend);
    }

    /** Removes the partial files unless {@link #finish} or {@link #suspend} came before. */
    @Override
    public void close() {
        writers.forEach(SafetensorsWriter::close);
    }
}
