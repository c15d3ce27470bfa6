package io.llmc4j.formats.export;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.AtomicFile;
import io.llmc4j.engine.safetensors.GrowingFile;
import io.llmc4j.engine.safetensors.TensorDeclaration;
import io.llmc4j.engine.safetensors.WrittenFile;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Shards of a checkpoint whose tensors are not known beforehand: a method may add biases, untie a head, leave a layer out. Tensors go to one
 * growing file; where adding a group of them would pass the limit, it becomes a shard and the next one begins. So memory stays small and the disk
 * holds one copy. Shards get their names at the end, when their number is known.
 *
 * <p>{@link #mark()} tells all that a later process needs to go on in the same directory.
 */
final class ShardStage implements AutoCloseable {

    private static final int PIECE = 1 << 20;
    private static final int LEAST_ROOM = 1 << 12;

    private final Path directory;
    private final long limit;
    private final int room;
    private final Map<String, String> metadata;
    private Optional<GrowingFile> growing = Optional.empty();
    private final List<WrittenFile> shards = new ArrayList<>();
    private final Map<String, Integer> shardOf = new TreeMap<>();
    private final Map<String, String> digests = new LinkedHashMap<>();
    private long totalBytes;
    private int marked;

    /** @param tensors about how many tensors there will be: room for a header */
    ShardStage(Path directory, long limit, Map<String, String> metadata, int tensors) {
        this.directory = directory;
        this.limit = limit;
        this.metadata = Map.copyOf(metadata);
        // some 150 characters a tensor; a shard of its own does not give more than a hundredth to it
        this.room = (int) Math.max(LEAST_ROOM, Math.min(tensors * 150L, Math.max(1 << 16, limit / 100)));
    }

    /** Goes on where {@code mark} was made. What came to the directory after it is thrown away. */
    void resume(JsonNode mark) {
        mark.path("digests").properties().forEach(e -> digests.put(e.getKey(), e.getValue().asText()));
        Set<String> known = new HashSet<>();
        int number = 0;
        for (JsonNode s : mark.path("shards")) {
            Path file = directory.resolve(s.path("file").asText());
            takeBack(file, number);
            shards.add(new WrittenFile(file, s.path("bytes").asLong(), s.path("sha256").asText()));
            known.add(file.getFileName().toString());
            number++;
        }
        marked = number;
        totalBytes = mark.path("totalBytes").asLong();
        mark.path("shardOf").properties().forEach(e -> shardOf.put(e.getKey(), e.getValue().asInt()));
        List<TensorDeclaration> staged = new ArrayList<>();
        for (JsonNode t : mark.path("staged")) {
            long[] dims = new long[t.path("shape").size()];
            for (int i = 0; i < dims.length; i++) {
                dims[i] = t.path("shape").get(i).asLong();
            }
            staged.add(new TensorDeclaration(t.path("name").asText(), DType.valueOf(t.path("dtype").asText()), new Shape(dims)));
        }
        if (!staged.isEmpty()) {
            takeBack(stagePath(number), number);
            growing = Optional.of(GrowingFile.resume(stagePath(number), room, metadata, staged));
            known.add(stagePath(number).getFileName().toString());
        }
        OutputDirectory.clear(directory, known);
    }

    /** A shard that has its last name already gets its first one back, so that one path leads to the end. */
    private void takeBack(Path file, int number) {
        if (Files.exists(file)) {
            return;
        }
        String pattern = String.format("model-%05d-of-\\d{5}\\.safetensors", number + 1);
        try (Stream<Path> all = Files.list(directory)) {
            Optional<Path> renamed = all.filter(p -> p.getFileName().toString().matches(pattern) || p.getFileName().toString().equals("model.safetensors")).findFirst();
            if (renamed.isEmpty()) {
                throw BadInput.of(BadInput.Common.OUTPUT, "%s is gone, and the run cannot go on without it; start again without --resume", file);
            }
            Files.move(renamed.get(), file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw unwritable(e);
        }
    }

    /** Puts all on the disk; from here {@link #resume} goes on. */
    ObjectNode mark() {
        ObjectNode mark = JsonNodeFactory.instance.objectNode();
        ArrayNode done = mark.putArray("shards");
        for (WrittenFile s : shards) {
            done.addObject().put("file", s.path().getFileName().toString()).put("bytes", s.bytes()).put("sha256", s.sha256());
        }
        ArrayNode staged = mark.putArray("staged");
        growing.ifPresent(g -> {
            g.force();
            for (TensorDeclaration t : g.tensors()) {
                ArrayNode dims = staged.addObject().put("name", t.name()).put("dtype", t.dtype().name()).putArray("shape");
                for (long d : t.shape().dims()) {
                    dims.add(d);
                }
            }
        });
        mark.put("totalBytes", totalBytes);
        ObjectNode of = mark.putObject("shardOf");
        shardOf.forEach(of::put);
        ObjectNode all = mark.putObject("digests");
        digests.forEach(all::put);
        deleteSpentStages(marked);
        marked = shards.size();
        return mark;
    }

    /** Growing files whose tensors had to be copied are kept until a mark that tells of the copy is surely on the disk: until the next one. */
    private void deleteSpentStages(int number) {
        try {
            for (int i = 0; i < number; i++) {
                if (!shards.get(i).path().equals(stagePath(i))) {
                    Files.deleteIfExists(stagePath(i));
                }
            }
        } catch (IOException e) {
            throw unwritable(e);
        }
    }

    /** Deletes what is left of growing files; called when all shards have their names. */
    static void sweep(Path directory) {
        try (Stream<Path> all = Files.list(directory)) {
            for (Path p : all.filter(p -> p.getFileName().toString().matches("tensors-\\d{5}\\.staged")).toList()) {
                Files.delete(p);
            }
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.OUTPUT, directory + ": cannot be written: " + e.getMessage(), e);
        }
    }

    private Path stagePath(int number) {
        return directory.resolve(String.format("tensors-%05d.staged", number + 1));
    }

    /** Adds tensors that are to stay in one shard. Throws NON_FINITE naming one that holds a NaN or an infinity. */
    void add(Map<String, Tensor> group) {
        long bytes = group.values().stream().mapToLong(t -> t.bytes().byteSize()).sum();
        if (growing.isPresent() && growing.get().dataBytes() > 0 && growing.get().dataBytes() + bytes > limit) {
            flush();
        }
        if (growing.isEmpty()) {
            growing = Optional.of(GrowingFile.create(stagePath(shards.size()), room, metadata));
        }
        // wide types first, so that all lie aligned; then by name, so that bytes do not depend on the order of a map
        List<Map.Entry<String, Tensor>> ordered = new ArrayList<>(group.entrySet());
        ordered.sort(Comparator.<Map.Entry<String, Tensor>>comparingInt(e -> -e.getValue().dtype().bits()).thenComparing(Map.Entry::getKey));
        for (Map.Entry<String, Tensor> e : ordered) {
            String name = e.getKey();
            Tensor t = e.getValue();
            if (digests.containsKey(name)) {
                throw new IllegalStateException("tensor '" + name + "' is written twice");
            }
            MessageDigest digest = sha256();
            growing.get().append(name, t, digest);
            digests.put(name, digest(t.dtype(), t.shape(), digest));
        }
    }

    void add(String name, Tensor t) {
        add(Map.of(name, t));
    }

    private void flush() {
        GrowingFile g = growing.orElseGet(() -> GrowingFile.create(stagePath(shards.size()), room, metadata));
        int index = shards.size();
        g.tensors().forEach(t -> shardOf.put(t.name(), index));
        totalBytes += g.dataBytes();
        shards.add(g.finish(directory.resolve(String.format("shard-%05d.safetensors", index + 1))));
        g.close();
        growing = Optional.empty();
    }

    /** The last shard, and all under their names, with an index when there are several. */
    List<WrittenFile> finish() {
        if (growing.isPresent() || shards.isEmpty()) {
            flush();
        }
        try {
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
        return new BadInput(BadInput.Common.OUTPUT, directory + ": cannot be written: " + e.getMessage() + AtomicFile.advice(directory), e);
    }

    @Override
    public void close() {
        growing.ifPresent(GrowingFile::close);
    }
}
