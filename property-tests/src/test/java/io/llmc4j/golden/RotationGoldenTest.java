package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.engine.pipeline.MethodStep;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** QuaRot with LLMC's own rotation matrix: its transformed weights and perplexities. */
class RotationGoldenTest {

    @TempDir
    Path directory;

    @ParameterizedTest
    @CsvSource({"quarot_w4a4, 65.58063507080078, 65.73639678955078", "quarot_w4a4_offline, 65.58063507080078, 66.13629150390625",
        "quarot_w8a8, 65.58063507080078, 65.58329772949219"})
    void weightsAndPerplexity(String name, double transformed, double quantized) throws IOException {
        Path rotation = directory.resolve("q.safetensors");
        GoldenTensors golden = GoldenTensors.load("/golden/methods/llama_g/" + name + ".safetensors.gz");
        write(rotation, golden.doubles("Q"));
        GoldenMethods.Outcome o = GoldenMethods.run("llama_g", name, c -> {
            Map<String, Object> special = new HashMap<>(c.methods().getFirst().special());
            special.put("rotation_path", rotation.toString());
            return c.withMethods(List.of(new MethodStep("QuaRot", special)));
        });
        assertEquals(transformed, o.perplexity(Position.TRANSFORMED), 2e-4 * transformed, "transformed");
        assertEquals(quantized, o.perplexity(Position.FAKE_QUANT), 2e-4 * quantized, "fake_quant");
        for (String layer : List.of("self_attn.v_proj", "self_attn.o_proj")) {
            float[] theirs = golden.floats("trans/b0." + layer + ".weight");
            float[] ours = o.layers().get("model.layers.0." + layer).layer().weight().data();
            float max = 0;
            for (float v : theirs) {
                max = Math.max(max, Math.abs(v));
            }
            for (int i = 0; i < theirs.length; i++) {
                assertEquals(theirs[i], ours[i], 1e-5 * max, layer + " at " + i);
            }
        }
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
