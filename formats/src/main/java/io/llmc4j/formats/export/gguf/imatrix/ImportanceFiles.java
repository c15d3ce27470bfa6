package io.llmc4j.formats.export.gguf.imatrix;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.formats.export.gguf.GgufError;
import io.llmc4j.formats.export.gguf.GgufFile;
import io.llmc4j.formats.export.gguf.GgufMetadata;
import io.llmc4j.formats.export.gguf.GgufTensorInfo;
import io.llmc4j.formats.export.gguf.GgufWriter;
import io.llmc4j.formats.export.gguf.block.BlockCodec;
import io.llmc4j.formats.export.gguf.block.GgmlType;
import io.llmc4j.formats.export.gguf.imatrix.ImportanceMatrix.Entry;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Importance matrices as files: GGUF (two tensors an entry, raw sums and counts), and the older .dat that {@link LegacyImportance} knows. */
public final class ImportanceFiles {

    private static final String SUMS = ".in_sum2";
    private static final String COUNTS = ".counts";

    private ImportanceFiles() {
    }

    /** Either format, by the first bytes. */
    public static ImportanceMatrix read(Path file) {
        byte[] start;
        try (java.io.InputStream in = Files.newInputStream(file)) {
            start = in.readNBytes(4);
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.DATA, "cannot read the importance matrix " + file + ": " + e.getMessage(), e);
        }
        boolean gguf = start.length == 4 && start[0] == 'G' && start[1] == 'G' && start[2] == 'U' && start[3] == 'F';
        ImportanceMatrix m = gguf ? readGguf(file) : LegacyImportance.read(file);
        m.entries().forEach((name, e) -> checkFinite(file, name, e));
        return m;
    }

    private static void checkFinite(Path file, String name, Entry e) {
        for (float v : e.sums()) {
            if (!(v >= 0 && v <= Float.MAX_VALUE)) {
                throw BadInput.of(BadInput.Common.DATA, "%s has %s among the squares of %s", file, v, name);
            }
        }
    }

    private static ImportanceMatrix readGguf(Path file) {
        try (GgufFile f = GgufFile.open(file)) {
            GgufMetadata m = f.metadata();
            if (!m.text("general.type").orElse("").equals("imatrix")) {
                throw BadInput.of(GgufError.METADATA, "%s is GGUF, but no importance matrix: general.type is %s", file, m.text("general.type").orElse("missing"));
            }
            Map<String, float[]> values = new HashMap<>();
            for (GgufTensorInfo t : f.tensors()) {
                values.put(t.name(), floats(f, t));
            }
            Map<String, Entry> entries = new HashMap<>();
            values.forEach((name, sums) -> {
                if (name.endsWith(SUMS)) {
                    String tensor = name.substring(0, name.length() - SUMS.length());
                    float[] counts = values.get(tensor + COUNTS);
                    if (counts == null || counts.length == 0 || sums.length % counts.length != 0) {
                        throw BadInput.of(GgufError.TENSOR, "%s: the counts of %s are missing or do not divide its %d sums", file, tensor, sums.length);
                    }
                    entries.put(tensor, new Entry(sums, counts));
                }
            });
            return new ImportanceMatrix(entries, m.texts("imatrix.datasets").orElse(List.of()), m.count("imatrix.chunk_count").orElse(0),
                    m.count("imatrix.chunk_size").orElse(0));
        }
    }

    private static float[] floats(GgufFile f, GgufTensorInfo t) {
        if (t.type() != GgmlType.F32) {
            throw BadInput.of(GgufError.TENSOR, "%s of an importance matrix is %s; F32 is needed", t.name(), t.type());
        }
        return f.bytes(t).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(java.nio.ByteOrder.LITTLE_ENDIAN));
    }

    /** llama.cpp's format since 2025. */
    public static void writeGguf(ImportanceMatrix m, Path file) {
        GgufMetadata metadata = new GgufMetadata().text("general.type", "imatrix").texts("imatrix.datasets", m.datasets())
                .u32("imatrix.chunk_count", m.chunks()).u32("imatrix.chunk_size", m.chunkSize());
        try (GgufWriter w = new GgufWriter(file, metadata, 0)) {
            m.entries().forEach((name, e) -> {
                tensor(w, name + SUMS, new Shape(e.counts().length, e.columns()), e.sums());
                tensor(w, name + COUNTS, new Shape(e.counts().length, 1), e.counts());
            });
            w.finish();
        }
    }

    private static void tensor(GgufWriter w, String name, Shape shape, float[] values) {
        w.begin(name, shape, GgmlType.F32);
        byte[] bytes = new byte[4 * values.length];
        GgmlType.F32.codec().orElseThrow().encode(values, 0, values.length, BlockCodec.NO_IMPORTANCE, bytes, 0);
        w.write(bytes, 0, bytes.length);
    }
}
