package io.llmc4j.engine.safetensors;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The tensors of a model: one safetensors file, or several with an index. Opening checks all of it: every shard is there and sound, every tensor is
 * where the index says, and no shard of another save lies about.
 */
public final class Checkpoint implements AutoCloseable {

    private static final Pattern NUMBERED = Pattern.compile("(.+)-(\\d{5})-of-(\\d{5})\\.safetensors");
    private static final String SINGLE = "model.safetensors";

    private final List<SafetensorsFile> files;
    private final Map<String, SafetensorsFile> tensors;
    private final List<String> notes;

    private Checkpoint(List<SafetensorsFile> files, Map<String, SafetensorsFile> tensors, List<String> notes) {
        this.files = List.copyOf(files);
        this.tensors = Collections.unmodifiableMap(tensors);
        this.notes = List.copyOf(notes);
    }

    /**
     * A file ({@code .safetensors}, or {@code .index.json}) or a directory. In a directory: the index if there is one, else {@code model.safetensors}, else
     * the only safetensors file.
     */
    public static Checkpoint open(Path path) {
        if (!Files.isDirectory(path)) {
            if (path.getFileName() != null && path.getFileName().toString().endsWith(".index.json")) {
                return sharded(path);
            }
            return single(path);
        }
        List<String> names = list(path);
        List<String> indexes = names.stream().filter(n -> n.endsWith(".safetensors.index.json")).toList();
        List<String> files = names.stream().filter(n -> n.endsWith(".safetensors")).toList();
        if (indexes.size() > 1 && !indexes.contains(SINGLE + ".index.json")) {
            throw BadInput.of(SafetensorsError.AMBIGUOUS_CHECKPOINT, "%s holds several indexes: %s; name the one to read", path, String.join(", ", indexes));
        }
        if (!indexes.isEmpty()) {
            return sharded(path.resolve(indexes.contains(SINGLE + ".index.json") ? SINGLE + ".index.json" : indexes.getFirst()));
        }
        if (files.isEmpty()) {
            boolean pickled = names.stream().anyMatch(n -> n.endsWith(".bin") || n.endsWith(".pt") || n.endsWith(".pth"));
            throw BadInput.of(SafetensorsError.NO_CHECKPOINT, "%s holds no .safetensors file%s", path,
                    pickled ? "; its .bin files are Python pickles, which are not read: save the model as safetensors" : "");
        }
        if (files.contains(SINGLE)) {
            List<String> stale = files.stream().filter(n -> n.startsWith("model-") && NUMBERED.matcher(n).matches()).toList();
            if (!stale.isEmpty()) {
                throw BadInput.of(SafetensorsError.INDEX_STALE_SHARD, "%s holds %s and also shards without an index: %s; remove the ones of the other save",
                        path, SINGLE, String.join(", ", stale));
            }
            return single(path.resolve(SINGLE));
        }
        if (files.size() > 1) {
            throw BadInput.of(SafetensorsError.AMBIGUOUS_CHECKPOINT, "%s holds %d safetensors files and no index: %s",
                    path, files.size(), String.join(", ", files.size() > 8 ? files.subList(0, 8) : files));
        }
        return single(path.resolve(files.getFirst()));
    }

    /**
     * What is left of a directory that {@link #open} refuses: the tensors of every file whose header can be read, where the index puts them when there is one.
     * For telling what is damaged; never for a run. Throws NO_CHECKPOINT when nothing is left.
     */
    public static Checkpoint salvage(Path directory) {
        List<String> names = list(directory).stream().filter(n -> n.endsWith(".safetensors")).toList();
        Map<String, String> map = Map.of();
        try {
            Path index = directory.resolve(SINGLE + ".index.json");
            if (Files.exists(index)) {
                map = CheckpointIndex.parse(Files.readAllBytes(index), index.toString()).weightMap();
            } else if (names.contains(SINGLE)) {
                names = List.of(SINGLE);
            }
        } catch (IOException | BadInput e) {
            // Without the index, all files count.
            map = Map.of();
        }
        List<SafetensorsFile> files = new ArrayList<>();
        Map<String, SafetensorsFile> tensors = new LinkedHashMap<>();
        for (String n : names) {
            if (!map.isEmpty() && !map.containsValue(n)) {
                continue;
            }
            try {
                SafetensorsFile f = SafetensorsFile.salvage(directory.resolve(n));
                files.add(f);
                for (String t : f.names()) {
                    if (map.isEmpty() || n.equals(map.get(t))) {
                        tensors.putIfAbsent(t, f);
                    }
                }
            } catch (BadInput e) {
                // Its tensors are lost; open has said why.
                continue;
            }
        }
        if (tensors.isEmpty()) {
            files.forEach(SafetensorsFile::close);
            throw BadInput.of(SafetensorsError.NO_CHECKPOINT, "%s: no tensor can be read", directory);
        }
        return new Checkpoint(files, tensors, List.of());
    }

    private static Checkpoint single(Path file) {
        SafetensorsFile f = SafetensorsFile.open(file);
        Map<String, SafetensorsFile> tensors = new LinkedHashMap<>();
        f.names().forEach(n -> tensors.put(n, f));
        return new Checkpoint(List.of(f), tensors, List.of());
    }

    private static Checkpoint sharded(Path indexFile) {
        Path dir = indexFile.toAbsolutePath().getParent();
        CheckpointIndex index;
        try {
            index = CheckpointIndex.parse(Files.readAllBytes(indexFile), indexFile.toString());
        } catch (IOException e) {
            throw new BadInput(SafetensorsError.UNREADABLE, indexFile + ": cannot be read: " + e.getMessage(), e);
        }
        TreeSet<String> shardNames = new TreeSet<>(index.weightMap().values());
        List<String> missing = shardNames.stream().filter(s -> !Files.isRegularFile(dir.resolve(s))).toList();
        if (!missing.isEmpty()) {
            throw BadInput.of(SafetensorsError.INDEX_MISSING_SHARD, "%s names %d files that are not there: %s", indexFile, missing.size(), some(missing));
        }
        refuseStale(indexFile, dir, shardNames);
        TreeMap<String, SafetensorsFile> shards = new TreeMap<>();
        try {
            for (String s : shardNames) {
                shards.put(s, SafetensorsFile.open(dir.resolve(s)));
            }
            return gather(indexFile, index, shards);
        } catch (RuntimeException | Error e) {
            shards.values().forEach(SafetensorsFile::close);
            throw e;
        }
    }

    private static Checkpoint gather(Path indexFile, CheckpointIndex index, TreeMap<String, SafetensorsFile> shards) {
        Map<String, SafetensorsFile> tensors = new LinkedHashMap<>();
        List<String> absent = new ArrayList<>();
        long bytes = 0;
        for (Map.Entry<String, String> e : index.weightMap().entrySet()) {
            SafetensorsFile f = shards.get(e.getValue());
            TensorEntry t = f.entries().get(e.getKey());
            if (t == null) {
                absent.add(e.getKey() + " (in " + e.getValue() + ")");
            } else {
                tensors.put(e.getKey(), f);
                bytes += t.bytes();
            }
        }
        if (!absent.isEmpty()) {
            throw BadInput.of(SafetensorsError.INDEX_TENSOR_ABSENT, "%s promises %d tensors that their shards do not hold: %s; index and shards are of different saves",
                    indexFile, absent.size(), some(absent));
        }
        List<String> notes = new ArrayList<>();
        if (index.totalSize().isPresent() && index.totalSize().getAsLong() != bytes) {
            notes.add(String.format("%s: total_size is %d, its tensors have %d bytes", indexFile, index.totalSize().getAsLong(), bytes));
        }
        for (Map.Entry<String, SafetensorsFile> s : shards.entrySet()) {
            List<String> extra = s.getValue().names().stream().filter(n -> !index.weightMap().containsKey(n)).toList();
            if (!extra.isEmpty()) {
                notes.add(String.format("%s holds %d tensors that the index does not name: %s", s.getKey(), extra.size(), some(extra)));
            }
        }
        return new Checkpoint(List.copyOf(shards.values()), tensors, notes);
    }

    /** A numbered shard of the same base that the index does not name, or the single file beside it, is left over from another save. */
    private static void refuseStale(Path indexFile, Path dir, TreeSet<String> shardNames) {
        TreeSet<String> bases = new TreeSet<>();
        for (String s : shardNames) {
            Matcher m = NUMBERED.matcher(s);
            if (m.matches()) {
                bases.add(m.group(1));
            }
        }
        List<String> stale = list(dir).stream().filter(n -> !shardNames.contains(n)).filter(n -> {
            Matcher m = NUMBERED.matcher(n);
            return m.matches() ? bases.contains(m.group(1)) : bases.contains("model") && n.equals(SINGLE);
        }).toList();
        if (!stale.isEmpty()) {
            throw BadInput.of(SafetensorsError.INDEX_STALE_SHARD, "%s does not name %d files that lie beside it: %s; they are of another save: remove them or the index",
                    indexFile, stale.size(), some(stale));
        }
    }

    private static List<String> list(Path dir) {
        try (Stream<Path> s = Files.list(dir)) {
            return s.map(p -> p.getFileName().toString()).sorted().toList();
        } catch (IOException e) {
            throw new BadInput(SafetensorsError.UNREADABLE, dir + ": cannot be listed: " + e.getMessage(), e);
        }
    }

    private static String some(List<String> names) {
        return String.join(", ", names.size() > 10 ? names.subList(0, 10) : names) + (names.size() > 10 ? ", …" : "");
    }

    /** All tensor names, in the order of the index or of the file's header. */
    public List<String> names() {
        return List.copyOf(tensors.keySet());
    }

    public boolean contains(String tensor) {
        return tensors.containsKey(tensor);
    }

    /** A view of the tensor, valid until this is closed; throws NO_SUCH_TENSOR. */
    public Tensor tensor(String name) {
        SafetensorsFile f = tensors.get(name);
        if (f == null) {
            throw BadInput.of(SafetensorsError.NO_SUCH_TENSOR, "%s: no tensor '%s' among its %d",
                    files.size() == 1 ? files.getFirst().name() : files.size() + " shards", name, tensors.size());
        }
        return f.tensor(name);
    }

    public Optional<Tensor> find(String name) {
        return contains(name) ? Optional.of(tensor(name)) : Optional.empty();
    }

    /** The header entry of a tensor; its offsets are in its own file. Throws NO_SUCH_TENSOR. */
    public TensorEntry entry(String name) {
        if (!contains(name)) {
            tensor(name);
        }
        return tensors.get(name).entries().get(name);
    }

    /** The file that holds a tensor. */
    public Optional<SafetensorsFile> fileOf(String name) {
        return Optional.ofNullable(tensors.get(name));
    }

    public List<SafetensorsFile> files() {
        return files;
    }

    /** What is odd but harmless: a wrong total_size, tensors that the index does not name. */
    public List<String> notes() {
        return notes;
    }

    /** Throws CHANGED when a shard was changed since it was opened. */
    public void checkUnchanged() {
        files.forEach(SafetensorsFile::checkUnchanged);
    }

    /** {@link SafetensorsFile#release} of every file. */
    public void release() {
        files.forEach(SafetensorsFile::release);
    }

    @Override
    public void close() {
        files.forEach(SafetensorsFile::close);
    }
}
