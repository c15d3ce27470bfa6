package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.autodiff.LossOps;
import io.llmc4j.engine.autodiff.Tape;
import io.llmc4j.engine.autodiff.Var;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.model.TapedBlock;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.families.FamilyModels;
import io.llmc4j.formats.hf.HfModel;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A block on the tape is the decoder's block: same output, and gradients that agree with differences of the decoder's own loss
 * (single operations are checked in float64 elsewhere; here it is their composition).
 */
class TapedBlockTest {

    private static final int BATCH = 2;
    private static final int TOKENS = 12;

    /** An expert that no token reached. */
    private static final Pattern UNREACHED = Pattern.compile("experts\\.\\d+");

    @Test
    void llama() {
        check(HfModel.open(Path.of(System.getProperty("llmc4j.root"), "cli/samples/tiny-llama-en")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"opt", "mistral-window", "qwen2", "qwen3", "gemma2", "mixtral", "qwen2-moe", "phi", "stablelm-parallel-qknorm", "falcon-rw-alibi", "olmo2", "bloom-12heads", "starcoder-mqa", "granite", "phi3", "gpt2", "gptj", "gpt-neox", "gemma3-text", "cohere", "glm4", "qwen3-moe", "gpt-oss", "deepseek-v2", "deepseek-v2-lite", "deepseek-v3", "qwen", "falcon-new", "smollm3", "opt-postnorm-proj"})
    void families(String variant) {
        check(FamilyModels.open(variant));
    }

    private static void check(HfModel opened) {
        try (HfModel model = opened) {
            Decoder decoder = new Decoder(model.spec());
            Block block = model.block(model.spec().blocks() - 1);
            Random random = new Random(7);
            int h = model.spec().hiddenSize();
            Hidden x = new Hidden(BATCH, TOKENS, gaussian(random, BATCH * TOKENS, h));
            Matrix target = gaussian(random, BATCH * TOKENS, h);

            Map<String, Var> weights = new HashMap<>();
            Map<String, Var> norms = new HashMap<>();
            for (Linear l : block.linears()) {
                weights.put(l.name(), Var.parameter(l.weight()));
            }
            for (Norm n : block.norms().values()) {
                norms.put(n.name(), Var.parameter(new Matrix(1, n.weight().length, n.weight())));
            }
            Tape tape = new Tape();
            Var y = new TapedBlock(decoder, block, new TapedBlock.Parameters() {
                @Override
                public Var weight(Tape t, Linear layer) {
                    return weights.get(layer.name());
                }

                @Override
                public Var normWeight(Tape t, Norm norm) {
                    return norms.get(norm.name());
                }
            }).forward(tape, Var.input(x.data()), BATCH, TOKENS);
            Matrix want = decoder.block(block, x, ForwardHooks.NONE).data();
            float largest = 0;
            for (float v : want.data()) {
                largest = Math.max(largest, Math.abs(v));
            }
            for (int i = 0; i < want.data().length; i++) {
                assertEquals(want.data()[i], y.value().data()[i], 1e-5f * largest, "output " + i);
            }

            tape.backward(LossOps.meanSquaredError(tape, y, target));
            weights.forEach((name, w) -> slope(decoder, block, x, target, name, w, random, () -> block.linear(name).weightChanged()));
            norms.forEach((name, w) -> slope(decoder, block, x, target, name, w, random, () -> { }));
        }
    }

    /** The derivative along the gradient itself, by central differences of the decoder's loss. */
    private static void slope(Decoder decoder, Block block, Hidden x, Matrix target, String name, Var w, Random random, Runnable changed) {
        float[] v = w.value().data();
        float[] g = w.gradient().data();
        double square = 0;
        double size = 0;
        for (int i = 0; i < g.length; i++) {
            square += (double) g[i] * g[i];
            size += (double) v[i] * v[i];
        }
        if (square == 0) {
            assertTrue(UNREACHED.matcher(name).find(), name + " has no gradient");
            return;
        }
        // A larger step sends tokens to other experts, where the loss jumps.
        double step = (block.spec().feedForward().experts().isPresent() ? 0.0005 : 0.005) * Math.sqrt(size / square);
        float[] keep = v.clone();
        double up = loss(decoder, block, x, target, v, keep, g, step, changed);
        double down = loss(decoder, block, x, target, v, keep, g, -step, changed);
        System.arraycopy(keep, 0, v, 0, v.length);
        changed.run();
        assertEquals(square, (up - down) / (2 * step), 0.02 * square, name);
    }

    private static double loss(Decoder decoder, Block block, Hidden x, Matrix target, float[] v, float[] keep, float[] g, double step, Runnable changed) {
        for (int i = 0; i < v.length; i++) {
            v[i] = (float) (keep[i] + step * g[i]);
        }
        changed.run();
        Matrix y = decoder.block(block, x, ForwardHooks.NONE).data();
        double total = 0;
        for (int i = 0; i < y.data().length; i++) {
            double e = (double) y.data()[i] - target.data()[i];
            total += e * e;
        }
        return total / y.data().length;
    }

    private static Matrix gaussian(Random r, int rows, int cols) {
        Matrix m = new Matrix(rows, cols);
        for (int i = 0; i < m.data().length; i++) {
            m.data()[i] = (float) r.nextGaussian();
        }
        return m;
    }
}
