package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.export.ModuleFormat;
import io.llmc4j.formats.export.ModuleToWrite;
import io.llmc4j.formats.export.ModuleWriter;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModuleLayout;
import io.llmc4j.formats.hf.RowMap;
import io.llmc4j.formats.hf.StoredModule;
import io.llmc4j.formats.hf.TensorStore;
import io.llmc4j.formats.hf.WeightFormats;
import io.llmc4j.formats.hf.WeightReader;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** What bitsandbytes, HQQ and AutoGPTQ wrote is read to the values that they read, and the same codes are written to their bytes. */
class OtherFormatsTest {

    private static final GoldenTensors G = GoldenTensors.load("/golden/formats/others.safetensors.gz");

    @TestFactory
    Stream<DynamicTest> everyCase() {
        return StreamSupport.stream(GoldenTensors.json("/golden/formats/index.json.gz").spliterator(), false)
                .map(c -> DynamicTest.dynamicTest(c.get("case").asText(), () -> check(c)));
    }

    private static void check(JsonNode c) throws Exception {
        String name = c.get("case").asText();
        String kind = c.get("kind").asText();
        int rows = c.get("shape").get(0).asInt();
        int cols = c.get("shape").get(1).asInt();
        ModuleLayout layout = new ModuleLayout("m", "m.weight", "m.bias", -1, false, rows, cols, false,
                List.of(new ModuleLayout.Part("m", Role.UP, -1, RowMap.contiguous(0, rows))));
        try (Arena arena = Arena.ofConfined()) {
            StoredModule module = new StoredModule(store(name, arena), name, layout);
            WeightReader reader = WeightFormats.of(HfConfig.parse(config(c, kind), name)).orElseThrow();
            assertEquals(true, reader.holds(module));
            float[] want = G.floats(name + "/dequantized");
            float[] got = reader.weight(module).data();
            for (int i = 0; i < want.length; i++) {
                // LLM.int8 multiplies code * SCB by 1/127, ours is code * (SCB / 127): two roundings in another order
                assertEquals(want[i], got[i], kind.equals("bnb8") ? 2 * Math.ulp(want[i]) : 0f, "element " + i);
            }
            Optional<QuantizedMatrix> codes = reader.codes(module);
            codes.ifPresent(q -> assertArrayEquals(got, q.dequantize().data(), "by codes"));
            if (kind.equals("bnb4") && !name.contains("nested")) {
                Matrix input = new Matrix(rows, cols, G.floats("in/" + name.substring(name.indexOf('/') + 1)));
                boolean bfloat = name.contains("w64x128");
                if (bfloat) {
                    for (int i = 0; i < input.data().length; i++) {
                        input.data()[i] = io.llmc4j.engine.tensor.Conversions.bf16ToFloat(io.llmc4j.engine.tensor.Conversions.floatToBf16(input.data()[i]));
                    }
                }
                write("bnb-" + name.substring(0, 3), layout, input, Optional.empty(), bfloat ? DType.BF16 : DType.F32, name, arena);
            } else if (codes.isPresent()) {
                write(switch (kind) { case "bnb8" -> "bnb-int8"; default -> kind; }, layout, reader.weight(module), codes, DType.F32, name, arena);
            }
        }
    }

    private static void write(String format, ModuleLayout layout, Matrix w, Optional<QuantizedMatrix> q, DType type, String name, Arena arena) {
        QuantScheme scheme = q.map(QuantizedMatrix::scheme).orElse(QuantScheme.integer(4, true, io.llmc4j.engine.quant.Granularity.perGroup(64)));
        LayerResult r = new LayerResult("m", new Linear("m", Role.UP, -1, w, new float[0]), q, w, Optional.of(scheme), Optional.empty(), Optional.empty(), 0, 0, 4, 0,
                List.of());
        ModuleWriter writer = ((ModuleFormat) Exports.named(format.equals("gptq") && !scheme.symmetric() ? "gptq_v2" : format)).writer(type);
        ModuleWriter.Coded coded = writer.coded(new ModuleToWrite("m", layout, List.of(r)), arena).orElseThrow();
        if (format.equals("gptq") && !scheme.symmetric()) {
            // version 2 differs in its zero points alone
            coded.tensors().remove("qzeros");
        }
        // the two flags that the golden file's makers leave to their modules
        coded.tensors().remove("weight_format");
        if (format.equals("hqq")) {
            coded.tensors().remove("round_zero");
        }
        assertEquals("", GoldenModule.difference(G, name + "/", coded.tensors()));
    }

    private static String config(JsonNode c, String kind) {
        String q = switch (kind) {
            case "gptq" -> "{\"quant_method\": \"gptq\", \"bits\": " + c.get("bits") + ", \"sym\": " + c.get("sym") + "}";
            case "hqq" -> "{\"quant_method\": \"hqq\"}";
            default -> "{\"quant_method\": \"bitsandbytes\"}";
        };
        return "{\"quantization_config\": " + q + "}";
    }

    private static TensorStore store(String name, Arena arena) {
        return new TensorStore() {
            @Override
            public List<String> names() {
                return G.names();
            }

            @Override
            public Optional<Tensor> find(String tensor) {
                return GoldenModule.find(G, name + "/" + tensor.substring(name.length() + 3), arena);
            }

            @Override
            public void close() {
                // the arena is the test's
            }
        };
    }
}
