package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.engine.pipeline.MethodStep;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** QuaRot with LLMC's own rotation matrix: its transformed weights and perplexities. */
@ExtendWith(GoldenTable.class)
class RotationGoldenTest {

    @TempDir
    Path directory;

    @ParameterizedTest
    @ValueSource(strings = {"quarot_w4a4", "quarot_w4a4_offline", "quarot_w8a8"})
    void weightsAndPerplexity(String name) throws IOException {
        Path rotation = directory.resolve("q.safetensors");
        write(rotation, GoldenTensors.load("/golden/methods/llama_g/" + name + ".safetensors.gz").doubles("Q"));
        GoldenMethods.hold("llama_g", name, GoldenMethods.Closeness.EXACT, what -> true, c -> {
            Map<String, Object> special = new HashMap<>(c.methods().getFirst().special());
            special.put("rotation_path", rotation.toString());
            return c.withMethods(List.of(new MethodStep("QuaRot", special)));
        });
    }

    /** LLMC fails on OPT. Online its rotations would be missing on activations (ODD-26), so that is refused; offline the model is what it was (ODD-65). */
    @Test
    void optWhereLlmcFails() {
        BadInput e = assertThrows(BadInput.class, () -> GoldenMethods.run("opt_g", "quarot_w4a4", c -> c.withCompat(false)));
        assertTrue(e.getMessage().contains("online"), e.getMessage());
        GoldenTable.refused("opt_g", "quarot_w4a4", "online refused");
        GoldenMethods.Outcome offline = GoldenMethods.run("opt_g", "quarot_w4a4", c -> {
            Map<String, Object> special = new HashMap<>(c.methods().getFirst().special());
            special.put("online_rotate", false);
            return c.withCompat(false).withMethods(List.of(new MethodStep("QuaRot", special)));
        });
        double plain = GoldenMethods.run("opt_g", "quarot_w4a4", c -> c.withMethods(List.of(new MethodStep("RTN", Map.of())))).perplexity(Position.FAKE_QUANT);
        double same = 95.76449584960938;
        assertEquals(same, offline.perplexity(Position.TRANSFORMED), 1e-5 * same);
        double rotated = offline.perplexity(Position.FAKE_QUANT);
        assertTrue(Math.abs(rotated - same) < Math.abs(plain - same), "rotated " + rotated + ", rounded as it is " + plain);
    }

    /** One F64 tensor Q. */
    private static void write(Path file, double[] q) throws IOException {
        int n = (int) Math.sqrt(q.length);
        byte[] header = ("{\"Q\":{\"dtype\":\"F64\",\"shape\":[" + n + "," + n + "],\"data_offsets\":[0," + 8 * q.length + "]}}").getBytes(StandardCharsets.UTF_8);
        ByteBuffer b = ByteBuffer.allocate(8 + header.length + 8 * q.length).order(ByteOrder.LITTLE_ENDIAN).putLong(header.length).put(header);
        for (double v : q) {
            b.putDouble(v);
        }
        Files.write(file, b.array());
    }
}
