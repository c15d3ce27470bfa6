package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.Tensors;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/** A tensor of more than 2^31 elements in a sparse file of 6 GiB. Runs when asked: {@code -Dllmc4j.large=true}. */
@EnabledIfSystemProperty(named = "llmc4j.large", matches = "true")
class LargeShardTest {

    @Test
    void rowsPastTwoGibibytes(@TempDir Path dir) throws Exception {
        long rows = 3L << 20;
        long bytes = rows * 1024 * 2;
        byte[] json = ("{\"big\":{\"dtype\":\"BF16\",\"shape\":[" + rows + ",1024],\"data_offsets\":[0," + bytes + "]}}").getBytes(StandardCharsets.UTF_8);
        Path p = dir.resolve("big.safetensors");
        try (FileChannel c = FileChannel.open(p, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE, StandardOpenOption.SPARSE)) {
            c.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, json.length), 0);
            c.write(ByteBuffer.wrap(json), 8);
            // the last row's first two values: 1.0 and -2.5
            c.write(ByteBuffer.wrap(new byte[] {(byte) 0x80, 0x3f, 0x20, (byte) 0xc0}), 8 + json.length + (rows - 1) * 2048);
            c.write(ByteBuffer.wrap(new byte[1]), 8 + json.length + bytes - 1);
        }
        try (SafetensorsFile f = SafetensorsFile.open(p)) {
            assertEquals(3L << 30, f.tensor("big").elements());
            float[] last = Tensors.gatherRows(f.tensor("big"), new int[] {(int) rows - 1}).data();
            assertArrayEquals(new float[] {1f, -2.5f, 0f}, java.util.Arrays.copyOf(last, 3));
            assertEquals(1f, Tensors.toMatrix(f.tensor("big"), rows - 2, 2).get(1, 0));
            assertEquals(-2.5f, Tensors.getFloat(f.tensor("big"), (rows - 1) * 1024 + 1));
            assertEquals(1f, Tensors.toFloats(Tensors.rows(f.tensor("big"), rows - 1, rows))[0]);
        }
    }
}
