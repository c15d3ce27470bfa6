package io.llmc4j.hostile;

import static io.llmc4j.engine.safetensors.SafetensorsError.*;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.Checkpoint;
import io.llmc4j.engine.safetensors.SafetensorsError;
import io.llmc4j.engine.safetensors.SafetensorsWriter;
import io.llmc4j.engine.safetensors.ShardedWriter;
import io.llmc4j.engine.safetensors.TensorDeclaration;
import io.llmc4j.engine.safetensors.WriterOptions;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensors;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Directories of shards that do not belong together, and writers that must leave nothing behind. */
class CheckpointHostileTest {

    @TempDir
    private Path dir;

    private static final List<TensorDeclaration> THREE = List.of(declared("a"), declared("b"), declared("c"));

    private static TensorDeclaration declared(String name) {
        return new TensorDeclaration(name, DType.F32, new Shape(4));
    }

    @BeforeEach
    void twoShards() {
        write(dir, THREE, 32);
    }

    private static void write(Path dir, List<TensorDeclaration> tensors, long limit) {
        try (Arena arena = Arena.ofConfined(); ShardedWriter w = ShardedWriter.create(dir, "model", tensors, limit, Map.of("format", "pt"), WriterOptions.STRICT)) {
            for (TensorDeclaration t : tensors) {
                w.write(t.name(), Tensors.fromFloats(DType.F32, t.shape(), new float[] {1, 2, 3, t.name().charAt(0)}, arena));
            }
            w.finish();
        }
    }

    private void index(String json) throws IOException {
        Files.writeString(dir.resolve("model.safetensors.index.json"), json);
    }

    private void refused(SafetensorsError kind) {
        BadInput e = assertThrows(BadInput.class, () -> Checkpoint.open(dir).close());
        assertEquals(kind, e.kind(), e.getMessage());
    }

    @Test
    void soundShardsOpen() {
        assertTrue(Files.exists(dir.resolve("model-00001-of-00002.safetensors")));
        try (Checkpoint c = Checkpoint.open(dir)) {
            assertEquals(List.of("a", "b", "c"), c.names());
            assertEquals((float) 'c', Tensors.toFloats(c.tensor("c"))[3]);
            assertEquals(2, c.files().size());
            assertEquals(List.of(), c.notes());
        }
    }

    @ParameterizedTest(name = "{1}")
    @CsvSource(delimiter = ';', value = {
        "INDEX_BAD_JSON; {",
        "INDEX_BAD_JSON; []",
        "INDEX_BAD_JSON; {\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\"}} x",
        "INDEX_BAD_MAP; {}",
        "INDEX_BAD_MAP; {\"weight_map\":{}}",
        "INDEX_BAD_MAP; {\"weight_map\":[]}",
        "INDEX_BAD_MAP; {\"weight_map\":{\"a\":1}}",
        "INDEX_DUPLICATE_KEY; {\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\",\"a\":\"model-00002-of-00002.safetensors\"}}",
        "INDEX_DUPLICATE_KEY; {\"weight_map\":{\"a\":\"x\"},\"weight_map\":{\"a\":\"x\"}}",
        "INDEX_PATH_IN_NAME; {\"weight_map\":{\"a\":\"../model.safetensors\"}}",
        "INDEX_PATH_IN_NAME; {\"weight_map\":{\"a\":\"/etc/passwd\"}}",
        "INDEX_PATH_IN_NAME; {\"weight_map\":{\"a\":\"sub/x.safetensors\"}}",
        "INDEX_PATH_IN_NAME; {\"weight_map\":{\"a\":\"sub\\\\x.safetensors\"}}",
        "INDEX_PATH_IN_NAME; {\"weight_map\":{\"a\":\"..\"}}",
        "INDEX_PATH_IN_NAME; {\"weight_map\":{\"a\":\"\"}}",
        "INDEX_PATH_IN_NAME; {\"weight_map\":{\"a\":\"x\\u0000y\"}}",
        "INDEX_MISSING_SHARD; {\"weight_map\":{\"a\":\"model-00003-of-00003.safetensors\"}}",
        "INDEX_STALE_SHARD; {\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\"}}",
        "INDEX_TENSOR_ABSENT; {\"weight_map\":{\"a\":\"model-00002-of-00002.safetensors\",\"b\":\"model-00001-of-00002.safetensors\"}}",
    })
    void brokenIndexes(SafetensorsError kind, String json) throws IOException {
        index(json);
        refused(kind);
    }

    @Test
    void aMissingShardIsNamed() throws IOException {
        Files.delete(dir.resolve("model-00002-of-00002.safetensors"));
        BadInput e = assertThrows(BadInput.class, () -> Checkpoint.open(dir).close());
        assertEquals(INDEX_MISSING_SHARD, e.kind());
        assertTrue(e.getMessage().contains("model-00002-of-00002.safetensors"));
    }

    @Test
    void aShardOfAnotherSaveIsRefused() throws IOException {
        Files.copy(dir.resolve("model-00002-of-00002.safetensors"), dir.resolve("model-00003-of-00003.safetensors"));
        refused(INDEX_STALE_SHARD);
    }

    @Test
    void aSingleFileBesideAnIndexIsRefused() throws IOException {
        Files.copy(dir.resolve("model-00002-of-00002.safetensors"), dir.resolve("model.safetensors"));
        refused(INDEX_STALE_SHARD);
    }

    @Test
    void shardsWithoutAnIndexAreRefused() throws IOException {
        Files.delete(dir.resolve("model.safetensors.index.json"));
        refused(AMBIGUOUS_CHECKPOINT);
        Files.copy(dir.resolve("model-00002-of-00002.safetensors"), dir.resolve("model.safetensors"));
        refused(INDEX_STALE_SHARD);
    }

    @Test
    void aTruncatedShardIsRefused() throws IOException {
        Path shard = dir.resolve("model-00002-of-00002.safetensors");
        Files.write(shard, java.util.Arrays.copyOf(Files.readAllBytes(shard), (int) Files.size(shard) - 4));
        refused(PAST_END);
    }

    @Test
    void anEmptyDirectoryAndOneOfPickles() throws IOException {
        Path empty = Files.createDirectory(dir.resolve("empty"));
        assertEquals(NO_CHECKPOINT, assertThrows(BadInput.class, () -> Checkpoint.open(empty)).kind());
        Files.writeString(empty.resolve("pytorch_model.bin"), "x");
        assertTrue(assertThrows(BadInput.class, () -> Checkpoint.open(empty)).getMessage().contains("pickle"));
    }

    @Test
    void aWrongTotalAndAnExtraTensorAreNoted() throws IOException {
        index("{\"metadata\":{\"total_size\":7},\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\",\"c\":\"model-00002-of-00002.safetensors\"}}");
        try (Checkpoint c = Checkpoint.open(dir)) {
            assertEquals(2, c.notes().size(), c.notes().toString());
            assertFalse(c.contains("b"));
        }
    }

    @ParameterizedTest
    @CsvSource({"F32", "F16", "BF16", "F64", "F8_E4M3", "F8_E5M2", "F8_E8M0"})
    void nothingNonFiniteReachesAFile(DType type) {
        Path out = dir.resolve("n.safetensors");
        try (Arena arena = Arena.ofConfined(); SafetensorsWriter w = SafetensorsWriter.create(out, List.of(new TensorDeclaration("n", type, new Shape(9000))), Map.of(), WriterOptions.STRICT)) {
            float[] x = new float[9000];
            java.util.Arrays.fill(x, 1f);
            x[8500] = Float.NaN;
            BadInput e = assertThrows(BadInput.class, () -> w.write("n", Tensors.fromFloats(type, new Shape(9000), x, arena)));
            assertEquals(NON_FINITE, e.kind());
            assertTrue(e.getMessage().contains("element 8500"), e.getMessage());
        }
        assertFalse(Files.exists(out));
        assertFalse(Files.exists(dir.resolve("n.safetensors.partial")));
    }

    @Test
    void aWriterThatIsNotFinishedLeavesNothing() throws IOException {
        Path sub = Files.createDirectory(dir.resolve("sub"));
        try (ShardedWriter w = ShardedWriter.create(sub, "model", THREE, 16, Map.of(), WriterOptions.STRICT)) {
            assertEquals(3, w.shards());
            assertThrows(IllegalStateException.class, w::finish);
        }
        try (var left = Files.list(sub)) {
            assertEquals(0, left.count());
        }
    }

    @Test
    void aSuspendedWriteGoesOnToTheSameBytes() throws IOException {
        Path sub = Files.createDirectory(dir.resolve("sub"));
        try (Arena arena = Arena.ofConfined()) {
            ShardedWriter w = ShardedWriter.create(sub, "model", THREE, 32, Map.of("format", "pt"), WriterOptions.STRICT);
            w.write("b", Tensors.fromFloats(DType.F32, new Shape(4), new float[] {1, 2, 3, 'b'}, arena));
            w.suspend();
            assertEquals(NO_CHECKPOINT, assertThrows(BadInput.class, () -> Checkpoint.open(sub)).kind());
            try (ShardedWriter again = ShardedWriter.resume(sub, "model", THREE, 32, Map.of("format", "pt"), WriterOptions.STRICT, java.util.Set.of("b"))) {
                again.write("c", Tensors.fromFloats(DType.F32, new Shape(4), new float[] {1, 2, 3, 'c'}, arena));
                again.write("a", Tensors.fromFloats(DType.F32, new Shape(4), new float[] {1, 2, 3, 'a'}, arena));
                again.finish();
            }
        }
        for (String f : List.of("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json")) {
            assertEquals(-1, Files.mismatch(dir.resolve(f), sub.resolve(f)), f);
        }
    }

    @Test
    void aPartialFileOfAnotherRunIsRefused() throws IOException {
        Path sub = Files.createDirectory(dir.resolve("sub"));
        SafetensorsWriter.create(sub.resolve("x.safetensors"), List.of(declared("other")), Map.of(), WriterOptions.STRICT).suspend();
        assertEquals(UNWRITABLE, assertThrows(BadInput.class, () ->
                SafetensorsWriter.resume(sub.resolve("x.safetensors"), THREE, Map.of(), WriterOptions.STRICT, java.util.Set.of())).kind());
    }

    @Test
    void aDirectoryThatIsNotThere() {
        assertEquals(UNWRITABLE, assertThrows(BadInput.class, () ->
                ShardedWriter.create(dir.resolve("no/where"), "model", THREE, 32, Map.of(), WriterOptions.STRICT)).kind());
    }
}
