package io.llmc4j.safety;

import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.TensorStore;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;

/** A process of its own: one wide block, its bytes mapped once and read as many times as the model is deep. Prints the peak of its memory. */
final class WideRun {

    private WideRun() {
    }

    /** blocks, hidden, intermediate. */
    public static void main(String[] args) throws IOException {
        int blocks = Integer.parseInt(args[0]);
        int hidden = Integer.parseInt(args[1]);
        int inner = Integer.parseInt(args[2]);
        Path file = Files.createTempFile("wide", ".bin");
        try (Arena arena = Arena.ofShared(); FileChannel c = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE)) {
            long largest = 2L * hidden * inner;
            MemorySegment bytes = c.map(FileChannel.MapMode.READ_WRITE, 0, largest, arena);
            SplittableRandom random = new SplittableRandom(3);
            for (long i = 0; i < largest; i += 2) {
                // bf16 of 0.01 to 0.08, either sign
                bytes.set(ValueLayout.JAVA_SHORT, i, (short) (0x3c20 + random.nextInt(0x180) | (random.nextBoolean() ? 0x8000 : 0)));
            }
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            tensors.put("model.embed_tokens.weight", tensor(bytes, 64, hidden));
            tensors.put("model.norm.weight", tensor(bytes, hidden));
            tensors.put("lm_head.weight", tensor(bytes, 64, hidden));
            for (int b = 0; b < blocks; b++) {
                String p = "model.layers." + b + ".";
                tensors.put(p + "input_layernorm.weight", tensor(bytes, hidden));
                tensors.put(p + "post_attention_layernorm.weight", tensor(bytes, hidden));
                for (String n : List.of("q_proj", "k_proj", "v_proj", "o_proj")) {
                    tensors.put(p + "self_attn." + n + ".weight", tensor(bytes, hidden, hidden));
                }
                tensors.put(p + "mlp.gate_proj.weight", tensor(bytes, inner, hidden));
                tensors.put(p + "mlp.up_proj.weight", tensor(bytes, inner, hidden));
                tensors.put(p + "mlp.down_proj.weight", tensor(bytes, hidden, inner));
            }
            Path config = Files.createTempFile("wide", ".json");
            Files.writeString(config, """
                    {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": %d, "intermediate_size": %d,
                     "num_attention_heads": %d, "num_key_value_heads": %d, "num_hidden_layers": %d, "max_position_embeddings": 512, "rms_norm_eps": 1e-6,
                     "rope_theta": 10000.0, "vocab_size": 64, "tie_word_embeddings": false, "torch_dtype": "bfloat16"}
                    """.formatted(hidden, inner, hidden / 64, hidden / 64, blocks));
            int[][] windows = {random.ints(8, 0, 64).toArray()};
            RunConfig run = RunConfig.of("RTN", Map.of(), SchemePlan.of(QuantScheme.integer(4, true, Granularity.perGroup(128))))
                    .withEvaluations(List.of(Evaluation.perplexity("random", windows, Position.FAKE_QUANT)));
            try (HfModel m = HfModel.of(HfConfig.read(config), store(tensors)); Counting sink = new Counting()) {
                new BlockFold(m, run, List.of(sink), RunListener.NONE).run();
                for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
                    if (line.startsWith("VmHWM:")) {
                        System.out.println(sink.weights + " " + Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024);
                    }
                }
            }
            Files.delete(config);
        }
    }

    private static Tensor tensor(MemorySegment bytes, long... dims) {
        Shape s = new Shape(dims);
        return new Tensor(DType.BF16, s, bytes.asSlice(0, 2 * s.elements()));
    }

    private static TensorStore store(Map<String, Tensor> tensors) {
        return new TensorStore() {
            @Override
            public List<String> names() {
                return new ArrayList<>(tensors.keySet());
            }

            @Override
            public Optional<Tensor> find(String name) {
                return Optional.ofNullable(tensors.get(name));
            }

            @Override
            public void close() {
            }
        };
    }

    /** Looks at what it gets and keeps nothing. */
    private static final class Counting implements ModelSink {

        private long weights;

        @Override
        public void ends(ModelEnds ends) {
        }

        @Override
        public void block(Block block, List<LayerResult> layers) {
            for (LayerResult l : layers) {
                weights += l.quantized().orElseThrow().codes().length;
            }
        }

        @Override
        public Written finish() {
            return new Written(Path.of("."), List.of(), List.of());
        }

        @Override
        public List<String> verify() {
            return List.of();
        }

        @Override
        public void close() {
        }
    }
}
