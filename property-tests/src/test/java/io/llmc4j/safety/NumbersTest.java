package io.llmc4j.safety;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.autodiff.AdamW;
import io.llmc4j.engine.autodiff.ElementOps;
import io.llmc4j.engine.autodiff.Var;
import io.llmc4j.engine.calibrate.Inputs;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.SelfTest;
import io.llmc4j.engine.method.BlockWork;
import io.llmc4j.engine.method.training.Epochs;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.RunSummary;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.safetensors.Checkpoint;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.safetensors.SafetensorsWriter;
import io.llmc4j.engine.safetensors.TensorDeclaration;
import io.llmc4j.engine.safetensors.WriterOptions;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.hf.HfModel;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Odd numbers: what must end a run ends it with the tensor's name, what has a rule gets a line in the report, and no file holds a NaN. */
class NumbersTest {

    private static final String Q = "model.layers.1.self_attn.q_proj.weight";

    @TempDir
    Path dir;

    /** The golden Llama with one tensor edited. */
    private Path edited(String tensor, Consumer<float[]> edit) throws IOException {
        Path model = DeepModel.make(dir, 2);
        Path file = model.resolve("model.safetensors");
        Path copy = dir.resolve("before.safetensors");
        Files.move(file, copy);
        try (SafetensorsFile f = SafetensorsFile.open(copy); Arena arena = Arena.ofConfined()) {
            List<TensorDeclaration> all = f.names().stream().map(n -> TensorDeclaration.of(n, f.tensor(n))).toList();
            try (SafetensorsWriter w = SafetensorsWriter.create(file, all, Map.of("format", "pt"), new WriterOptions(true))) {
                for (String n : f.names()) {
                    Tensor t = f.tensor(n);
                    if (n.equals(tensor)) {
                        float[] v = Tensors.toFloats(t);
                        edit.accept(v);
                        t = Tensors.fromFloats(t.dtype(), t.shape(), v, arena);
                    }
                    w.write(n, t);
                }
                w.finish();
            }
        }
        return model;
    }

    private RunSummary run(Path model, RunConfig config, String... formats) throws IOException {
        return KilledRun.run(model, dir.resolve("out"), config, false, RunListener.NONE, List.of(formats));
    }

    private static RunConfig rtn(boolean symmetric) {
        return RunConfig.of("RTN", Map.of(), SchemePlan.of(QuantScheme.integer(4, symmetric, Granularity.perGroup(32))));
    }

    private void ends(Path model, RunConfig config, String... says) throws IOException {
        BadInput e = assertThrows(BadInput.class, () -> run(model, config, "vllm"));
        for (String s : says) {
            assertTrue(e.getMessage().contains(s), e.getMessage());
        }
        assertTrue(Files.notExists(dir.resolve("out/vllm")));
    }

    @ParameterizedTest
    @CsvSource({"NaN", "Infinity", "-Infinity"})
    void aWeightThatIsNotFinite(float bad) throws IOException {
        ends(edited(Q, w -> w[128 + 5] = bad), rtn(true), "model.layers.1.self_attn.q_proj", "holds " + bad + " at [1, 5]");
    }

    @Test
    void aNormThatIsNotFinite() throws IOException {
        ends(edited("model.layers.1.post_attention_layernorm.weight", w -> w[3] = Float.NaN), rtn(true), "model.layers.1.post_attention_layernorm", "holds NaN at [3]");
    }

    @Test
    void anEmbeddingThatIsNotFinite() throws IOException {
        ends(edited("model.embed_tokens.weight", w -> w[7] = Float.NaN), rtn(true), "model.embed_tokens.weight", "NaN or an infinity at element 7");
    }

    @Test
    void activationsThatOverflow() throws IOException {
        Path model = edited("model.layers.0.mlp.down_proj.weight", w -> java.util.Arrays.fill(w, 3e38f));
        ends(model, KilledRun.config("GPTQ", Map.of()).withEvaluations(List.of()), "the hidden states behind block 0", "float32 does not hold");
    }

    @Test
    void inputsTooLargeToBeSquared() throws IOException {
        Path model = edited("model.layers.1.mlp.up_proj.weight", w -> {
            for (int i = 9 * 128; i < 10 * 128; i++) {
                w[i] *= 1e24f;
            }
        });
        ends(model, KilledRun.config("GPTQ", Map.of()).withEvaluations(List.of()), "Hessian of model.layers.1.mlp.down_proj", "[9, 9]");
    }

    /** Zeros, constants and tiny values in every shape that a scheme meets; everything is finite, and the report tells. */
    @ParameterizedTest
    @CsvSource({"vllm,true", "gptq,true", "mlx,false", "gguf:q4_0,true", "fake,false"})
    void oddButFinite(String format, boolean symmetric) throws IOException {
        Path model = edited(Q, w -> {
            java.util.Arrays.fill(w, 0, 128, 0f);
            java.util.Arrays.fill(w, 128, 128 + 32, 0f);
            java.util.Arrays.fill(w, 256, 256 + 32, 0.25f);
            java.util.Arrays.fill(w, 384, 384 + 32, -0.25f);
            for (int r = 0; r < w.length / 128; r++) {
                w[r * 128 + 77] = 0f;
            }
            w[512] = 1e-40f;
        });
        RunSummary s = run(model, rtn(symmetric), format);
        RunSummary.LayerRow row = s.layers().stream().filter(l -> Q.startsWith(l.name() + ".")).findFirst().orElseThrow();
        assertTrue(row.notes().contains("1 rows of zeros"), row.notes().toString());
        assertTrue(row.notes().contains("1 groups of zeros"), row.notes().toString());
        assertTrue(row.notes().contains("2 groups of one value"), row.notes().toString());
        assertTrue(row.notes().contains("1 columns of zeros"), row.notes().toString());
        assertTrue(row.notes().contains("1 subnormal weights"), row.notes().toString());
        assertTrue(Double.isFinite(row.relativeError()));
        if (symmetric) {
            assertTrue(row.relativeError() < 0.2);
        } else {
            assertTrue(row.notes().contains("2 groups on one side of zero: their zero points are clamped, as LLMC has it"), row.notes().toString());
        }
        allFinite(dir.resolve("out").resolve(format.replace(':', '-')));
    }

    /** Weights so small that a scale has no normal half-precision value: what each format does is told, and nothing becomes zero in silence. */
    @ParameterizedTest
    @CsvSource({"gptq,false", "vllm,true"})
    void scalesBelowHalfPrecision(String format, boolean wide) throws IOException {
        Path model = edited(Q, w -> {
            for (int i = 0; i < w.length; i++) {
                w[i] *= 1e-5f;
            }
        });
        if (!wide) {
            // the format has half-precision scales only: the check of what was written tells what that costs
            IllegalStateException e = assertThrows(IllegalStateException.class, () -> run(model, rtn(true), format));
            assertTrue(e.getMessage().contains("model.layers.1.self_attn.q_proj: the codes as they are stored give"), e.getMessage());
            return;
        }
        RunSummary s = run(model, rtn(true), format);
        RunSummary.LayerRow row = s.layers().stream().filter(l -> Q.startsWith(l.name() + ".")).findFirst().orElseThrow();
        assertTrue(row.notes().stream().anyMatch(n -> n.endsWith("scales below half precision's normal range")), row.notes().toString());
        allFinite(dir.resolve("out").resolve(format));
    }

    /** Finite weights that a file's half-precision numbers would make infinite: nothing is written, and the tensor is named. */
    @ParameterizedTest
    @CsvSource({"gguf:q4_0,blk.1.attn_q.weight", "gguf:q8_0,blk.1.attn_q.weight", "gguf:q4_k_m,blk.1.attn_q.weight", "gguf:f16,blk.1.attn_q.weight", "gptq,model.layers.1.self_attn.q_proj"})
    void valuesBeyondHalfPrecision(String format, String says) throws IOException {
        Path model = edited(Q, w -> w[0] = 3e7f);
        BadInput e = assertThrows(BadInput.class, () -> run(model, rtn(true), format));
        assertTrue(e.getMessage().contains(says) && e.getMessage().contains("NaN or an infinity"), e.getMessage());
        assertTrue(Files.notExists(dir.resolve("out").resolve(format.replace(':', '-'))));
    }

    /** A channel that is always zero, and fewer tokens than channels: the Hessian has no full rank; GPTQ's rules hold and are told. */
    @Test
    void aHessianWithoutFullRank() throws IOException {
        Path model = edited("model.layers.1.input_layernorm.weight", w -> java.util.Arrays.fill(w, 0, 5, 0f));
        RunSummary s = run(model, KilledRun.config("GPTQ", Map.of()).withEvaluations(List.of()), "gptq");
        RunSummary.LayerRow row = s.layers().stream().filter(l -> Q.startsWith(l.name() + ".")).findFirst().orElseThrow();
        assertTrue(row.notes().contains("5 dead columns"), row.notes().toString());
        assertTrue(s.layers().stream().allMatch(l -> Double.isFinite(l.relativeError())));
        allFinite(dir.resolve("out/gptq"));
    }

    private static void allFinite(Path directory) {
        if (Files.notExists(directory.resolve("model.safetensors"))) {
            return;
        }
        try (Checkpoint c = Checkpoint.open(directory)) {
            for (String n : c.names()) {
                Tensor t = c.tensor(n);
                if (t.dtype() == DType.F16 || t.dtype() == DType.BF16 || t.dtype() == DType.F32) {
                    for (float v : Tensors.toFloats(t)) {
                        assertTrue(Float.isFinite(v), n);
                    }
                }
            }
        }
    }

    /** The writer refuses what is not finite in every float type, by its bits. */
    @ParameterizedTest
    @CsvSource({"F32", "F16", "BF16", "F64", "F8_E4M3", "F8_E5M2"})
    void theWriterLooksAtEveryFloatType(DType type) {
        try (Arena arena = Arena.ofConfined()) {
            for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
                if (type.bits() == 8 && !Float.isNaN(bad)) {
                    // e4m3 has no infinity, and a conversion to e5m2 saturates
                    continue;
                }
                float[] v = new float[40];
                v[33] = bad;
                Tensor t = Tensors.fromFloats(type, new Shape(40), v, arena);
                Path file = dir.resolve("x.safetensors");
                try (SafetensorsWriter w = SafetensorsWriter.create(file, List.of(TensorDeclaration.of("x", t)), Map.of(), WriterOptions.STRICT)) {
                    BadInput e = assertThrows(BadInput.class, () -> w.write("x", t));
                    assertTrue(e.getMessage().contains("'x'") && e.getMessage().contains("element 33"), e.getMessage());
                }
                assertTrue(Files.notExists(file));
            }
        }
    }

    /** A loss of zero whose gradient overflows float32 in one of {@code steps} steps, or in all of them. */
    private static List<String> trained(Block block, int steps, boolean always) {
        List<String> notes = new ArrayList<>();
        Inputs inputs = (Inputs) java.lang.reflect.Proxy.newProxyInstance(Inputs.class.getClassLoader(), new Class<?>[] {Inputs.class}, (proxy, method, args) -> switch (method.getName()) {
            case "chunks" -> steps;
            case "batchOf" -> args[0];
            default -> 1;
        });
        BlockWork work = (BlockWork) java.lang.reflect.Proxy.newProxyInstance(BlockWork.class.getClassLoader(), new Class<?>[] {BlockWork.class}, (proxy, method, args) -> {
            if (method.getName().equals("note")) {
                notes.add((String) args[1]);
            }
            return switch (method.getName()) {
                case "blockInputs" -> inputs;
                case "block" -> block;
                case "fullName" -> "model.layers.1." + ((Linear) args[0]).name();
                default -> null;
            };
        });
        Var p = Var.parameter(new Matrix(1, 1));
        AdamW adam = new AdamW().group(List.of(p), 0, 0, AdamW.Decay.L2);
        Epochs.run(work, "Training", 1, adam, (tape, chunk) -> ElementOps.scale(tape, ElementOps.scale(tape, p, 3e38f), always || chunk == 1 ? 3e38f : 1e-38f), () -> { });
        assertTrue(Float.isFinite(p.value().get(0, 0)));
        return notes;
    }

    @Test
    void gradientsThatAreNotFinite() throws IOException {
        try (HfModel m = HfModel.open(DeepModel.make(dir, 2))) {
            Block block = m.block(1);
            assertEquals(List.of("Training: 1 of 3 steps of the block left out, their gradients were not finite"), trained(block, 3, false));
            BadInput e = assertThrows(BadInput.class, () -> trained(block, 3, true));
            assertTrue(e.getMessage().contains("none of 3 gradients of block 1 (model.layers.1.self_attn.q_proj and"), e.getMessage());
        }
    }

    /** Weights that are finite and whose range is not: the group's scale overflows. */
    @Test
    void aScaleThatIsNotFinite() throws IOException {
        Path model = edited(Q, w -> {
            w[0] = 3e38f;
            w[1] = -3e38f;
        });
        ends(model, rtn(false), "model.layers.1.self_attn.q_proj: cannot quantize", "the range at element [0, 0] has scale Infinity");
    }

    @Test
    void theSelfTestTriesEveryKernel() {
        Kernels right = Kernels.named("scalar");
        TreeSet<String> tried = new TreeSet<>();
        Kernels listening = (Kernels) java.lang.reflect.Proxy.newProxyInstance(Kernels.class.getClassLoader(), new Class<?>[] {Kernels.class}, (proxy, method, args) -> {
            synchronized (tried) {
                tried.add(method.getName());
            }
            return method.invoke(right, args);
        });
        SelfTest.run(listening, 0.05);
        TreeSet<String> all = new TreeSet<>();
        for (java.lang.reflect.Method m : Kernels.class.getMethods()) {
            if (java.lang.reflect.Modifier.isAbstract(m.getModifiers()) && m.getDeclaringClass() == Kernels.class) {
                all.add(m.getName());
            }
        }
        all.removeAll(tried);
        all.removeAll(List.of("name", "describe"));
        assertEquals(new TreeSet<>(), all);
    }

    @Test
    void theSelfTestFindsAWrongKernel() {
        Kernels right = Kernels.named("scalar");
        assertTrue(SelfTest.run(right, 0.05).stream().allMatch(SelfTest.Result::sound));
        // one kernel a unit in the last place off, and only for long rows
        Kernels wrong = (Kernels) java.lang.reflect.Proxy.newProxyInstance(Kernels.class.getClassLoader(), new Class<?>[] {Kernels.class}, (proxy, method, args) -> {
            Object value = method.invoke(right, args);
            return method.getName().equals("sum") && (int) args[0] > 100 ? (Object) Math.nextUp((float) value) : value;
        });
        List<String> found = SelfTest.run(wrong, 0.05).stream().filter(r -> !r.sound()).map(SelfTest.Result::what).toList();
        assertEquals(List.of("sum"), found);
    }
}
