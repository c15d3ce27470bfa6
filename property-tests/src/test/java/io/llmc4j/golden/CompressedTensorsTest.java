package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Conversions;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.formats.export.WeightCodec;
import io.llmc4j.formats.export.ModuleTensors;
import io.llmc4j.formats.export.compressedtensors.Codecs;
import java.lang.foreign.Arena;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** What the compressed-tensors library wrote is read to the values that it reads, and written back to its bytes. */
class CompressedTensorsTest {

    private static final GoldenTensors G = GoldenTensors.load("/golden/compressed-tensors/compressed.safetensors.gz");

    @TestFactory
    Stream<DynamicTest> readsAndWrites() {
        return StreamSupport.stream(GoldenTensors.json("/golden/compressed-tensors/index.json.gz").spliterator(), false)
                .map(c -> DynamicTest.dynamicTest(c.get("case").asText(), () -> check(c)));
    }

    private static void check(JsonNode c) {
        String name = c.get("case").asText();
        WeightCodec codec = Codecs.named(c.get("format").asText(), c.get("args"), Optional.of(DType.F32));
        try (Arena arena = Arena.ofConfined()) {
            QuantizedMatrix q = codec.decode(new ModuleTensors(name, n -> GoldenModule.find(G, slash(n), arena)));
            float[] values = q.dequantize().data();
            if (c.get("format").asText().startsWith("nvfp4")) {
                values = bfloat16(values);
            }
            assertArrayEquals(G.floats(name + "/decompressed"), values, "decompressed");
            assertEquals("", codec.whyNot(q));
            assertEquals("", GoldenModule.difference(G, name + "/", codec.encode(q, arena)));
            assertEquals(c.get("tensors").size(), codec.encode(q, arena).size(), "number of tensors");
        }
    }

    /** The library gives NVFP4 back in bfloat16. */
    private static float[] bfloat16(float[] v) {
        float[] out = new float[v.length];
        for (int i = 0; i < v.length; i++) {
            out[i] = Conversions.bf16ToFloat(Conversions.floatToBf16(v[i]));
        }
        return out;
    }

    /** The golden file separates a case and its tensors by a slash. */
    private static String slash(String name) {
        int dot = name.lastIndexOf('.');
        return name.substring(0, dot) + "/" + name.substring(dot + 1);
    }
}
