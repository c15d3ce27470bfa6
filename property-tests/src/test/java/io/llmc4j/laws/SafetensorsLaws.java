package io.llmc4j.laws;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.safetensors.Checkpoint;
import io.llmc4j.engine.safetensors.ShardedWriter;
import io.llmc4j.engine.safetensors.TensorDeclaration;
import io.llmc4j.engine.safetensors.WriterOptions;
import io.llmc4j.engine.safetensors.WrittenFile;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;

/** Whatever is written, in any order, in parts, in any number of shards, is what is read. */
class SafetensorsLaws {

    @Property(tries = 40)
    void whatIsWrittenIsRead(@ForAll long seed, @ForAll @IntRange(min = 0, max = 12) int count, @ForAll @LongRange(min = 1, max = 4000) long limit) throws IOException {
        Path dir = Files.createTempDirectory("llmc4j-laws");
        Random random = new Random(seed);
        try (Arena arena = Arena.ofConfined()) {
            List<TensorDeclaration> declared = new ArrayList<>();
            Map<String, Tensor> tensors = new HashMap<>();
            for (int i = 0; i < count; i++) {
                DType type = DType.values()[random.nextInt(16)];
                long[] dims = random.longs(random.nextInt(4), 0, 9).toArray();
                byte[] raw = new byte[(int) new Shape(dims).elements() * type.bytes()];
                random.nextBytes(raw);
                String name = "layer." + i + (random.nextBoolean() ? ".é\"\\\n\u0001" : ".weight");
                tensors.put(name, Tensors.fromBytes(type, new Shape(dims), raw, arena));
                declared.add(TensorDeclaration.of(name, tensors.get(name)));
            }
            List<WrittenFile> files;
            try (ShardedWriter w = ShardedWriter.create(dir, "model", declared, limit, Map.of("format", "pt", "né", "\u0000\"\\"), new WriterOptions(true))) {
                List<TensorDeclaration> order = new ArrayList<>(declared);
                java.util.Collections.shuffle(order, random);
                for (TensorDeclaration d : order) {
                    inParts(w, d, tensors.get(d.name()), random);
                }
                files = w.finish();
            }
            for (WrittenFile f : files) {
                assertEquals(f.bytes(), Files.size(f.path()));
                assertTrue(f.sha256().equals(sha(f.path())), f.path().toString());
            }
            try (Checkpoint c = Checkpoint.open(dir)) {
                assertEquals(tensors.keySet(), java.util.Set.copyOf(c.names()));
                assertEquals(List.of(), c.notes());
                for (Map.Entry<String, Tensor> e : tensors.entrySet()) {
                    Tensor back = c.tensor(e.getKey());
                    assertEquals(e.getValue().dtype(), back.dtype());
                    assertEquals(e.getValue().shape(), back.shape());
                    assertArrayEquals(Tensors.toBytes(e.getValue()), Tensors.toBytes(back));
                }
            }
        } finally {
            try (var all = Files.walk(dir)) {
                all.sorted(Comparator.reverseOrder()).forEach(p -> p.toFile().delete());
            }
        }
    }

    private static void inParts(ShardedWriter w, TensorDeclaration d, Tensor t, Random random) {
        MemorySegment rest = t.bytes();
        while (rest.byteSize() > 0) {
            long n = Math.min(rest.byteSize(), d.dtype().bytes() * (1L + random.nextInt(50)));
            w.append(d.name(), rest.asSlice(0, n));
            rest = rest.asSlice(n);
        }
    }

    private static String sha(Path p) {
        try {
            return java.util.HexFormat.of().formatHex(java.security.MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(p)));
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
