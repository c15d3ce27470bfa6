package io.llmc4j.hostile;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.TensorStore;
import io.llmc4j.golden.GoldenModels;
import io.llmc4j.golden.RoundedModel;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Quantized modules whose tensors are missing, of another type or of another shape, or whose configuration says otherwise: each is refused in its own words. */
class QuantizedHostileTest {

    private static final String MODULE = "model.layers.0.self_attn.q_proj";
    /** What a reader can do without: other writers leave them out. */
    private static final Set<String> OPTIONAL = Set.of("g_idx", "weight_g_idx", "weight_shape");

    /** What only the library that wrote it looks at: nothing that a weight's values depend on. */
    private static final Set<String> FOR_ITS_LIBRARY = Set.of("weight_format", "channel_wise", "compute_dtype", "encoded_state_dict", "offload_meta", "optimize", "packing",
            "quant_scale", "quant_zero", "round_zero", "stores_quant_config", "unpack_view_dtype", "view_as_float");

    @TempDir
    static Path tmp;
    private static Path source;

    @BeforeAll
    static void unpack() {
        source = GoldenModels.llama(tmp);
    }

    private static QuantScheme scheme(String name) {
        return switch (name) {
            case "compressed-tensors", "autoawq", "mlx", "hqq" -> QuantScheme.integer(4, false, Granularity.perGroup(64));
            case "gptq", "gptq_v2" -> QuantScheme.integer(4, true, Granularity.perGroup(32));
            case "nvfp4" -> QuantScheme.nvfp4();
            case "mxfp4" -> QuantScheme.microscaling("e2m1");
            case "mxfp8" -> QuantScheme.microscaling("e4m3");
            case "blocks" -> QuantScheme.blockFp8(64);
            case "fp8" -> QuantScheme.floating("e4m3", NumberFormat.Float.Path.NEAREST_EVEN, Granularity.PER_CHANNEL);
            default -> QuantScheme.integer(8, true, Granularity.PER_CHANNEL);
        };
    }

    private static Path write(String name) {
        Path out = tmp.resolve(name);
        if (!Files.exists(out)) {
            String format = switch (name) {
                case "nvfp4", "mxfp4", "mxfp8", "fp8" -> "compressed-tensors";
                case "blocks", "int8" -> "vllm";
                default -> name;
            };
            Optional<QuantScheme> inputs = name.equals("int8") || name.equals("lightx2v") ? Optional.of(QuantScheme.integer(8, true, Granularity.PER_TOKEN)) : Optional.empty();
            try (HfModel m = HfModel.open(source); ModelSink sink = Exports.open(Exports.named(format), m, out, 1L << 40, false)) {
                RoundedModel.write(m, sink, l -> Optional.of(scheme(name)), inputs, Optional.empty());
            }
        }
        return out;
    }

    /** The file's tensors, but for one. */
    private record Damaged(SafetensorsFile file, String name, Optional<Tensor> instead) implements TensorStore {
        @Override
        public List<String> names() {
            return file.names().stream().filter(n -> instead.isPresent() || !n.equals(name)).toList();
        }

        @Override
        public Optional<Tensor> find(String n) {
            return n.equals(name) ? instead : file.find(n);
        }

        @Override
        public void close() {
            // the file is the test's
        }
    }

    private static void read(String config, TensorStore store) {
        HfModel m = HfModel.of(HfConfig.parse(config, "config.json"), store);
        m.weight(m.module(0, m.layout(0).modules().stream().filter(l -> MODULE.endsWith(l.name())).findFirst().orElseThrow()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"compressed-tensors", "int8", "fp8", "nvfp4", "mxfp4", "mxfp8", "blocks", "gptq", "gptq_v2", "autoawq", "mlx", "hqq", "bnb-nf4", "bnb-int8",
        "lightx2v"})
    void everyTensorOfAModule(String format) throws IOException {
        Path out = write(format);
        String config = Files.readString(out.resolve("config.json"));
        try (SafetensorsFile file = SafetensorsFile.open(out.resolve("model.safetensors")); Arena arena = Arena.ofConfined()) {
            read(config, new Damaged(file, "none", Optional.empty()));
            List<String> accepted = new ArrayList<>();
            for (String name : file.names().stream().filter(n -> n.startsWith(MODULE + ".") && !FOR_ITS_LIBRARY.contains(n.substring(MODULE.length() + 1))).toList()) {
                Tensor t = file.tensor(name);
                long[] dims = t.shape().dims().length == 0 ? new long[]{1} : t.shape().dims().clone();
                dims[dims.length - 1]++;
                Map<String, Optional<Tensor>> damages = new HashMap<>();
                damages.put("missing", Optional.empty());
                damages.put("type", Optional.of(Tensor.allocate(DType.I16, t.shape(), arena)));
                damages.put("shape", Optional.of(Tensor.allocate(t.dtype(), new Shape(dims), arena)));
                damages.forEach((kind, instead) -> {
                    try {
                        read(config, new Damaged(file, name, instead));
                        accepted.add(kind + " " + name.substring(MODULE.length() + 1));
                    } catch (BadInput e) {
                        assertTrue(e.getMessage().contains("q_proj"), e.getMessage());
                    }
                });
            }
            accepted.removeIf(a -> a.startsWith("missing ") && OPTIONAL.contains(a.substring("missing ".length())));
            assertEquals(List.of(), accepted);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"gptq", "compressed-tensors"})
    void groupsThatAreNotThere(String format) throws IOException {
        Path out = write(format);
        String name = MODULE + (format.equals("gptq") ? ".g_idx" : ".weight_g_idx");
        try (SafetensorsFile file = SafetensorsFile.open(out.resolve("model.safetensors")); Arena arena = Arena.ofConfined()) {
            for (int wrong : new int[]{-1, 4, Integer.MAX_VALUE}) {
                int[] groups = new int[128];
                groups[77] = wrong;
                TensorStore store = new Damaged(file, name, Optional.of(Tensors.fromInts(new Shape(128), groups, arena)));
                TensorStore named = new TensorStore() {
                    @Override
                    public List<String> names() {
                        List<String> all = new ArrayList<>(store.names());
                        if (!all.contains(name)) {
                            all.add(name);
                        }
                        return all;
                    }

                    @Override
                    public Optional<Tensor> find(String n) {
                        return store.find(n);
                    }

                    @Override
                    public void close() {
                        // the file is the test's
                    }
                };
                BadInput e = assertThrows(BadInput.class, () -> read(Files.readString(out.resolve("config.json")), named));
                assertTrue(e.getMessage().contains(name) && e.getMessage().contains("77"), e.getMessage());
            }
        }
    }

    /** Where the configuration says how tensors are cut, tensors cut otherwise are refused. (GPTQ and AutoAWQ tensors say it themselves; audits compare.) */
    @ParameterizedTest
    @ValueSource(strings = {"compressed-tensors", "mxfp4", "nvfp4", "mlx", "blocks"})
    void anotherGroupSizeInTheConfig(String format) throws IOException {
        Path out = write(format);
        JsonNode config = new ObjectMapper().readTree(out.resolve("config.json").toFile());
        switch (format) {
            case "mlx" -> List.of("quantization", "quantization_config").forEach(k -> {
                if (config.get(k) instanceof ObjectNode q) {
                    q.put("group_size", 32);
                }
            });
            case "blocks" -> ((ObjectNode) config.get("quantization_config")).putArray("weight_block_size").add(32).add(32);
            default -> ((ObjectNode) config.at("/quantization_config/config_groups/group_0/weights")).put("group_size", 128);
        }
        try (SafetensorsFile file = SafetensorsFile.open(out.resolve("model.safetensors"))) {
            BadInput e = assertThrows(BadInput.class, () -> read(config.toString(), new Damaged(file, "none", Optional.empty())));
            assertTrue(e.getMessage().contains(MODULE), e.getMessage());
        }
    }

    @Test
    void configurationsThatSayNothing() throws IOException {
        Path out = write("compressed-tensors");
        String config = Files.readString(out.resolve("config.json"));
        try (SafetensorsFile file = SafetensorsFile.open(out.resolve("model.safetensors"))) {
            for (String[] change : new String[][]{{"\"strategy\" : \"group\"", "\"strategy\" : \"rows\""}, {"\"num_bits\" : 4", "\"num_bits\" : 99"},
                {"\"group_size\" : 64", "\"group_size\" : -64"}, {"pack-quantized", "sparse-24"}, {"\"type\" : \"int\"", "\"type\" : \"decimal\""},
                {"\"Linear\"", "\"Conv1d\""}, {"\"Linear\"", "\"re:(\""}}) {
                String changed = config.replace(change[0].replace(" :", ":"), change[1].replace(" :", ":")).replace(change[0], change[1]);
                assertTrue(!changed.equals(config), Arrays.toString(change));
                assertThrows(BadInput.class, () -> read(changed, new Damaged(file, "none", Optional.empty())), Arrays.toString(change));
            }
        }
    }
}
