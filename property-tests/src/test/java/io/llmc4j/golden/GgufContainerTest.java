package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.formats.export.gguf.GgufFile;
import io.llmc4j.formats.export.gguf.GgufMetadata;
import io.llmc4j.formats.export.gguf.GgufModelFiles;
import io.llmc4j.formats.export.gguf.GgufTensorInfo;
import io.llmc4j.formats.export.gguf.GgufValue;
import io.llmc4j.formats.export.gguf.GgufWriter;
import io.llmc4j.formats.export.gguf.block.GgmlType;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The container against a file that the Python package gguf wrote. */
class GgufContainerTest {

    @TempDir
    Path dir;

    private Path tiny() throws IOException {
        Path p = dir.resolve("tiny.gguf");
        try (InputStream in = getClass().getResourceAsStream("/gguf/tiny.gguf")) {
            Files.write(p, in.readAllBytes());
        }
        return p;
    }

    @Test
    void readsWhatPythonWrote() throws IOException {
        try (GgufFile f = GgufFile.open(tiny())) {
            GgufMetadata m = f.metadata();
            assertEquals("llama", m.needText("general.architecture"));
            assertEquals(List.of(200L, -100L, 60000L, -30000L, 4000000000L, -2000000000L, 1L << 62, -(1L << 62)),
                    Stream.of("u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64").map(k -> m.whole("t." + k).orElseThrow()).toList());
            assertEquals((double) 0.1f, m.needReal("t.f32"));
            assertEquals(0.1, m.needReal("t.f64"));
            assertEquals(true, m.bool("t.bool").orElseThrow());
            assertEquals("Grüße, 世界", m.needText("t.text"));
            assertEquals(List.of("a", "", "ü"), m.texts("t.texts").orElseThrow());
            assertArrayEquals(new long[] {1, -2, 3}, m.wholes("t.ints").orElseThrow());
            assertEquals(List.of(0.5, -0.25), m.array("t.floats", GgufValue.Kind.F32).orElseThrow().stream()
                    .map(v -> ((GgufValue.Real) v).value()).toList());
            List<GgufTensorInfo> t = f.tensors();
            assertEquals(List.of("a.weight", "b.weight", "c.weight", "d.scalar"), t.stream().map(GgufTensorInfo::name).toList());
            assertEquals(new Shape(2, 3, 64), t.get(2).shape());
            assertEquals(95 / 7f, decode(f, t.get(0), 2)[31]);
            assertEquals(-5f, decode(f, t.get(1), 0)[0]);
            assertEquals(4f, decode(f, t.get(1), 1)[4]);
            float[] c = decode(f, t.get(2), 5);
            for (int i = 0; i < 64; i++) {
                assertEquals(((5 * 64 + i) % 31 - 15) / 8f, c[i], 0.008f);
            }
            assertEquals(2.5f, decode(f, t.get(3), 0)[0]);
        }
    }

    private static float[] decode(GgufFile f, GgufTensorInfo t, int row) {
        byte[] all = f.bytes(t).toArray(ValueLayout.JAVA_BYTE);
        int n = (int) t.rowElements();
        float[] out = new float[n];
        t.type().codec().orElseThrow().decode(all, (int) (row * t.type().rowBytes(n)), n, out, 0);
        return out;
    }

    /** The same metadata and tensors through our writer are the same bytes. */
    @Test
    void writesWhatPythonWrote() throws IOException {
        Path from = tiny();
        Path to = dir.resolve("again.gguf");
        copy(from, to, 0);
        assertArrayEquals(Files.readAllBytes(from), Files.readAllBytes(to));
    }

    private static List<Path> copy(Path from, Path to, long splitBytes) {
        try (GgufFile f = GgufFile.open(from); GgufWriter w = new GgufWriter(to, f.metadata(), splitBytes)) {
            for (GgufTensorInfo t : f.tensors()) {
                byte[] bytes = f.bytes(t).toArray(ValueLayout.JAVA_BYTE);
                w.begin(t.name(), t.shape(), t.type());
                w.write(bytes, 0, bytes.length / 2);
                w.write(bytes, bytes.length / 2, bytes.length - bytes.length / 2);
            }
            return w.finish();
        }
    }

    @Test
    void splitsAndJoins() throws IOException {
        List<Path> parts = copy(tiny(), dir.resolve("big.gguf"), 410);
        assertEquals(List.of("big-00001-of-00003.gguf", "big-00002-of-00003.gguf", "big-00003-of-00003.gguf"),
                parts.stream().map(p -> p.getFileName().toString()).toList());
        try (GgufModelFiles all = GgufModelFiles.open(parts.getFirst()); GgufFile one = GgufFile.open(tiny())) {
            assertEquals(List.of("a.weight", "b.weight", "c.weight", "d.scalar"), List.copyOf(all.tensors().keySet()));
            for (GgufTensorInfo t : one.tensors()) {
                GgufModelFiles.Located l = all.tensors().get(t.name());
                assertArrayEquals(one.bytes(t).toArray(ValueLayout.JAVA_BYTE), l.file().bytes(l.info()).toArray(ValueLayout.JAVA_BYTE));
            }
            assertEquals(4, all.metadata().needCount("split.tensors.count"));
            assertEquals("llama", all.metadata().needText("general.architecture"));
        }
    }

    @Test
    void leavesNothingWhenUnfinished() throws IOException {
        Path out = Files.createDirectory(dir.resolve("out"));
        try (GgufWriter w = new GgufWriter(out.resolve("x.gguf"), new GgufMetadata(), 0)) {
            w.begin("a", new Shape(32), GgmlType.F32);
            w.write(new byte[64], 0, 64);
        }
        try (Stream<Path> files = Files.list(out)) {
            assertEquals(List.of(), files.toList());
        }
    }
}
