package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.formats.export.gguf.block.GgmlType;
import io.llmc4j.formats.export.gguf.mix.FileType;
import io.llmc4j.formats.export.gguf.mix.QuantMix;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Types of tensors by file type, as llama.cpp's own quantizer chose them for five made-up models. */
class GgufMixTest {

    /** The models; their shapes are those that the rules ask for. */
    private enum Made {
        GQA("llama", 17, 8, 1, 256, 256, 0, false), MHA("llama", 9, 2, 2, 256, 96, 0, true), ODD("llama", 3, 3, 3, 96, 80, 0, false),
        MOE("llama", 9, 8, 1, 256, 32, 8, false), FALCON("falcon", 9, 8, 1, 256, 256, 0, true);

        private final String arch;
        private final int layers;
        private final int heads;
        private final int kvHeads;
        private final int hidden;
        private final int width;
        private final int experts;
        private final boolean tied;

        Made(String arch, int layers, int heads, int kvHeads, int hidden, int width, int experts, boolean tied) {
            this.arch = arch;
            this.layers = layers;
            this.heads = heads;
            this.kvHeads = kvHeads;
            this.hidden = hidden;
            this.width = width;
            this.experts = experts;
            this.tied = tied;
        }

        Shape shape(String tensor) {
            int cols = tensor.contains("ffn_down") ? width : tensor.contains("attn_output") ? 32 * heads : hidden;
            return tensor.contains("_exps") ? new Shape(experts, 32, cols) : new Shape(32, cols);
        }

        QuantMix.Facts facts() {
            return new QuantMix.Facts(arch, layers, layers, heads / kvHeads, experts, false, tied);
        }
    }

    @TestFactory
    Stream<DynamicTest> asLlamaCppChose() throws IOException {
        JsonNode golden;
        try (GZIPInputStream in = new GZIPInputStream(getClass().getResourceAsStream("/golden/gguf/mixes.json.gz"))) {
            golden = new ObjectMapper().readTree(in);
        }
        return StreamSupport.stream(((Iterable<Map.Entry<String, JsonNode>>) golden.properties()).spliterator(), false)
                .map(e -> DynamicTest.dynamicTest(e.getKey(), () -> check(e.getKey(), e.getValue())));
    }

    private static void check(String name, JsonNode want) {
        String[] parts = name.split("/");
        Made made = Made.valueOf(parts[0].toUpperCase(java.util.Locale.ROOT));
        boolean importance = parts.length > 2;
        QuantMix mix = new QuantMix(FileType.byName(parts[1]).orElseThrow(), made.facts(), importance);
        if (want.isTextual()) {
            assertTrue(refused(mix, made), "llama.cpp refuses this without importance");
            return;
        }
        // Blocks in order, tensors of a block by name: as the rules count.
        Map<String, String> expected = new TreeMap<>(java.util.Comparator.comparingInt(GgufMixTest::block).thenComparing(n -> n));
        want.properties().forEach(e -> expected.put(e.getKey(), e.getValue().asText()));
        Map<String, String> got = new TreeMap<>(((TreeMap<String, String>) expected).comparator());
        for (String tensor : expected.keySet()) {
            GgmlType type = mix.type(tensor, made.shape(tensor));
            got.put(tensor, type.name());
            assertTrue(importance || !mix.needsImportance(tensor, type), tensor + " would be refused");
        }
        assertEquals(expected, got);
    }

    private static int block(String tensor) {
        return tensor.startsWith("blk.") ? Integer.parseInt(tensor.split("\\.")[1]) : -1;
    }

    private static boolean refused(QuantMix mix, Made made) {
        String qkv = made.arch.equals("falcon") ? "attn_qkv" : "attn_q";
        String up = made.experts > 0 ? "ffn_up_exps" : "ffn_up";
        for (int i = 0; i < made.layers; i++) {
            for (String t : java.util.List.of(qkv, up, "attn_output", "ffn_down" + (made.experts > 0 ? "_exps" : ""))) {
                String name = "blk." + i + "." + t + ".weight";
                if (mix.needsImportance(name, mix.type(name, made.shape(name)))) {
                    return true;
                }
            }
        }
        return false;
    }
}
