package io.llmc4j.formats.export.gguf;

import io.llmc4j.engine.BadInput;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The one or several files of a model, opened by the first of them: the first one's metadata, everybody's tensors. */
public final class GgufModelFiles implements AutoCloseable {

    private static final Pattern PART = Pattern.compile("(.*)-(\\d{5})-of-(\\d{5})\\.gguf");
    private static final int MOST_PARTS = 10_000;

    private final List<GgufFile> files;
    private final Map<String, Located> tensors = new LinkedHashMap<>();

    /** A tensor and the file that holds it. */
    public record Located(GgufTensorInfo info, GgufFile file) { }

    private GgufModelFiles(List<GgufFile> files) {
        this.files = files;
    }

    /** @param first the file, or the first part of a split model */
    public static GgufModelFiles open(Path first) {
        List<GgufFile> files = new ArrayList<>();
        try {
            files.add(GgufFile.open(first));
            GgufMetadata m = files.getFirst().metadata();
            int count = m.count("split.count").orElse(1);
            if (count > 1) {
                openOthers(first, count, files);
            }
            GgufModelFiles model = new GgufModelFiles(files);
            model.index(first, m.count("split.tensors.count"));
            return model;
        } catch (RuntimeException e) {
            files.forEach(GgufFile::close);
            throw e;
        }
    }

    private static void openOthers(Path first, int count, List<GgufFile> files) {
        Matcher name = PART.matcher(first.getFileName().toString());
        if (!name.matches() || Integer.parseInt(name.group(3)) != count || count > MOST_PARTS) {
            throw BadInput.of(GgufError.SPLIT, "%s says that it is one of %d parts; a name like model-00001-of-%05d.gguf is needed", first, count, count);
        }
        if (files.getFirst().metadata().needCount("split.no") != 0 || Integer.parseInt(name.group(2)) != 1) {
            throw BadInput.of(GgufError.SPLIT, "%s is not the first part; open %s-00001-of-%05d.gguf", first, name.group(1), count);
        }
        List<Path> missing = new ArrayList<>();
        Path base = first.resolveSibling(name.group(1) + ".gguf");
        for (int i = 1; i < count; i++) {
            Path part = GgufWriter.partPath(base, i, count);
            if (!Files.exists(part)) {
                missing.add(part);
            } else if (missing.isEmpty()) {
                files.add(GgufFile.open(part));
                if (files.getLast().metadata().needCount("split.no") != i || files.getLast().metadata().needCount("split.count") != count) {
                    throw BadInput.of(GgufError.SPLIT, "%s says that it is another part than its name says", part);
                }
            }
        }
        if (!missing.isEmpty()) {
            throw BadInput.of(GgufError.SPLIT, "parts are missing: %s", missing);
        }
    }

    private void index(Path first, java.util.Optional<Integer> count) {
        for (GgufFile f : files) {
            for (GgufTensorInfo t : f.tensors()) {
                if (tensors.put(t.name(), new Located(t, f)) != null) {
                    throw BadInput.of(GgufError.DUPLICATE, "%s: the tensor %s is in two parts", f.path(), t.name());
                }
            }
        }
        if (files.size() > 1 && count.isPresent() && count.get() != tensors.size()) {
            throw BadInput.of(GgufError.SPLIT, "%s says that the parts have %d tensors; they have %d", first, count.get(), tensors.size());
        }
    }

    public GgufMetadata metadata() {
        return files.getFirst().metadata();
    }

    /** By name, in file order. */
    public Map<String, Located> tensors() {
        return Collections.unmodifiableMap(tensors);
    }

    public List<Path> paths() {
        return files.stream().map(GgufFile::path).toList();
    }

    /** {@link GgufFile#release} of every file. */
    public void release() {
        files.forEach(GgufFile::release);
    }

    @Override
    public void close() {
        files.forEach(GgufFile::close);
    }
}
