package io.llmc4j.laws;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.InnerRounding;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.families.FamilyModels;
import io.llmc4j.formats.hf.HfModel;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Rounding inside attention and before the activation function, held to the formula written out over OPT's first block, whose queries and keys are not rotated. */
class InnerRoundingTest {

    private static final int TOKENS = 70;
    private static final Quantizer FOUR_BITS = Quantizer.of(QuantScheme.integer(4, true, Granularity.PER_TOKEN));

    @Test
    void asTheFormulaSays() throws Exception {
        try (HfModel model = FamilyModels.open("opt")) {
            Block block = model.block(0);
            int hidden = model.spec().hiddenSize();
            SplittableRandom random = new SplittableRandom(3);
            Matrix x = new Matrix(2 * TOKENS, hidden);
            for (int i = 0; i < x.data().length; i++) {
                x.data()[i] = (float) random.nextDouble(-1, 1);
            }
            block.setInnerRounding(new InnerRounding(FOUR_BITS, true, true, true));
            Map<Role, Matrix> plain = inputs(model, block, x);
            block.linears().forEach(l -> l.setQuantized(true));
            Map<Role, Matrix> rounded = inputs(model, block, x);

            int heads = block.spec().attention().heads();
            Matrix want = attention(output(block, Role.Q, rounded), output(block, Role.K, rounded), output(block, Role.V, rounded), heads, block.spec().attention().scale());
            assertArrayEquals(want.data(), rounded.get(Role.O).data(), 2e-5f);
            double moved = 0;
            for (int i = 0; i < want.data().length; i++) {
                moved = Math.max(moved, Math.abs(want.data()[i] - plain.get(Role.O).data()[i]));
            }
            assertEquals(true, moved > 0.01, "four bits must show before all layers are quantized: " + moved);

            Matrix up = FOUR_BITS.fakeQuantize(output(block, Role.UP, rounded));
            for (int i = 0; i < up.data().length; i++) {
                up.data()[i] = Math.max(0, up.data()[i]);
            }
            assertArrayEquals(up.data(), rounded.get(Role.DOWN).data(), 1e-6f);
        }
    }

    private static Map<Role, Matrix> inputs(HfModel model, Block block, Matrix x) {
        Map<Role, Matrix> seen = new TreeMap<>();
        new Decoder(model.spec()).block(block, new Hidden(2, TOKENS, x), new ForwardHooks() {
            @Override
            public void linearInput(Linear layer, Matrix in, int batch, int tokens) {
                seen.put(layer.role(), in.copy());
            }
        });
        return seen;
    }

    private static Matrix output(Block block, Role role, Map<Role, Matrix> inputs) {
        Linear l = block.linear(role).orElseThrow();
        Matrix y = Products.linear(inputs.get(role), l.weight());
        for (int i = 0; i < y.data().length; i++) {
            y.data()[i] += l.bias()[i % y.cols()];
        }
        return y;
    }

    private static Matrix attention(Matrix q, Matrix k, Matrix v, int heads, float scale) {
        int width = q.cols() / heads;
        Matrix out = new Matrix(q.rows(), q.cols());
        for (int row = 0; row < q.rows(); row++) {
            int first = row / TOKENS * TOKENS;
            int n = row - first + 1;
            for (int h = 0; h < heads; h++) {
                float[] query = round(slice(q, row, h * width, width));
                float[] scores = new float[n];
                for (int j = 0; j < n; j++) {
                    float[] key = round(slice(k, first + j, h * width, width));
                    double dot = 0;
                    for (int i = 0; i < width; i++) {
                        dot += (double) query[i] * key[i];
                    }
                    scores[j] = (float) dot * scale;
                }
                float[] logits = round(scores);
                double sum = 0;
                for (float l : logits) {
                    sum += Math.exp(l);
                }
                float[] p = new float[n];
                for (int j = 0; j < n; j++) {
                    p[j] = (float) (Math.exp(logits[j]) / sum);
                }
                float[] weights = round(p);
                for (int j = 0; j < n; j++) {
                    float[] value = round(slice(v, first + j, h * width, width));
                    for (int i = 0; i < width; i++) {
                        out.data()[row * out.cols() + h * width + i] += weights[j] * value[i];
                    }
                }
            }
        }
        return out;
    }

    private static float[] slice(Matrix m, int row, int from, int n) {
        return java.util.Arrays.copyOfRange(m.data(), row * m.cols() + from, row * m.cols() + from + n);
    }

    private static float[] round(float[] row) {
        return FOUR_BITS.fakeQuantize(new Matrix(1, row.length, row)).data();
    }

    @Test
    void onlyRowsAsTheyCome() {
        for (QuantScheme s : new QuantScheme[] {QuantScheme.integer(8, true, Granularity.PER_TENSOR), QuantScheme.integer(8, true, Granularity.perGroup(16))}) {
            assertThrows(BadInput.class, () -> new InnerRounding(Quantizer.of(s), true, false, false));
        }
    }
}
