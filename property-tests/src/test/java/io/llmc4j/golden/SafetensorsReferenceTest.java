package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.safetensors.SafetensorsWriter;
import io.llmc4j.engine.safetensors.TensorDeclaration;
import io.llmc4j.engine.safetensors.WriterOptions;
import io.llmc4j.engine.safetensors.WrittenFile;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensors;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Our reader and writer against a file of the reference implementation. */
class SafetensorsReferenceTest {

    @TempDir
    private Path dir;

    private static byte[] reference() throws IOException {
        try (InputStream in = SafetensorsReferenceTest.class.getResourceAsStream("/safetensors/reference.safetensors")) {
            return in.readAllBytes();
        }
    }

    @Test
    void readsWhatTorchWrote() throws IOException {
        try (SafetensorsFile f = SafetensorsFile.of(reference(), "reference")) {
            assertEquals("pt", f.metadata().get("format"));
            assertEquals(20, f.names().size());
            assertArrayEquals(new long[] {-2, -1, 0, 1}, Tensors.toLongs(f.tensor("i64")));
            assertArrayEquals(new long[] {1, 4294967295L}, Tensors.toLongs(f.tensor("u32")));
            assertArrayEquals(new long[] {1, 65535}, Tensors.toLongs(f.tensor("u16")));
            assertArrayEquals(new int[] {-3, -2, -1, 0, 1}, Tensors.toInts(f.tensor("i8")));
            assertArrayEquals(new int[] {1, 0, 1}, Tensors.toInts(f.tensor("bool")));
            assertArrayEquals(new float[] {2.5f}, Tensors.toFloats(f.tensor("scalar")));
            assertEquals(new Shape(), f.tensor("scalar").shape());
            assertEquals(new Shape(0, 4), f.tensor("empty").shape());
            assertArrayEquals(new float[] {1, 2}, Tensors.toFloats(f.tensor("e8m0")));
            assertEquals(DType.F8_E8M0, f.tensor("e8m0").dtype());
            assertTrue(f.contains("name with spaces \"quoted\" \u00e9\u4e2d"));
        }
    }

    /** In the file's order and in the reverse of it: the same bytes, the same checksum. */
    @Test
    void writesTheSameBytes() throws Exception {
        byte[] want = reference();
        String sha = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(want));
        try (SafetensorsFile f = SafetensorsFile.of(want, "reference")) {
            List<TensorDeclaration> declared = new ArrayList<>();
            f.entries().values().forEach(e -> declared.add(new TensorDeclaration(e.name(), e.dtype(), e.shape())));
            Collections.shuffle(declared, new java.util.Random(1));
            for (boolean reversed : new boolean[] {false, true}) {
                Path out = dir.resolve("out-" + reversed + ".safetensors");
                try (SafetensorsWriter w = SafetensorsWriter.create(out, declared, f.metadata(), WriterOptions.STRICT)) {
                    List<String> order = reversed ? w.order().reversed() : w.order();
                    order.forEach(n -> w.write(n, f.tensor(n)));
                    WrittenFile done = w.finish();
                    assertEquals(sha, done.sha256());
                    assertEquals(want.length, done.bytes());
                }
                assertArrayEquals(want, Files.readAllBytes(out));
            }
        }
    }
}
