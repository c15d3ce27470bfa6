package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.method.ShiftAndScale;
import io.llmc4j.engine.method.SpqrSolver;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The printed SpQR and OS+ rows of the algorithm specification's 5.5, which LLMC's own functions gave on a 2 x 8 weight and 16 tokens. */
class MethodTablesTest {

    /** sin(1.7 (8 i + j) + 0.3) (1 + 0.1 j). */
    private static final Matrix W = table(2, (i, j) -> StrictMath.sin(1.7 * (8 * i + j) + 0.3) * (1 + 0.1 * j));
    /** cos(0.9 (8 t + j)) (1 + 0.3 j). */
    private static final Matrix X = table(16, (t, j) -> StrictMath.cos(0.9 * (8 * t + j)) * (1 + 0.3 * j));

    private interface Formula {
        double at(int row, int col);
    }

    private static Matrix table(int rows, Formula f) {
        Matrix m = new Matrix(rows, 8);
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < 8; j++) {
                m.set(i, j, (float) f.at(i, j));
            }
        }
        return m;
    }

    private static SpqrSolver.Result spqr(double threshold) {
        QuantScheme four = QuantScheme.integer(4, false, Granularity.perGroup(4)).withRoundZeroPoint(false);
        return new SpqrSolver(four, new SpqrSolver.Settings(threshold, false, true, 1, 128, false, four, four)).solve(W, Products.gram(X));
    }

    @Test
    void spqrWithoutOutliers() {
        for (double threshold : new double[] {0.2, Double.POSITIVE_INFINITY}) {
            SpqrSolver.Result r = spqr(threshold);
            assertTrue(r.outliers().isEmpty());
            assertArrayEquals(new float[] {0.16187134f, 0.13271068f, 0.18130299f, 0.14774932f}, r.params().scales(), 1e-6f);
            assertArrayEquals(new float[] {8.695259f, 7.537616f, 7.578094f, 8.293813f}, r.params().zeros(), 1e-5f);
            assertArrayEquals(new float[] {0.29369324f, 0.98215163f, -0.64269984f, -1.0003221f, 1.0305477f, 0.87787724f, -1.4107430f, -0.60898978f},
                    r.weight().rows(0, 1).data(), 1e-5f);
        }
    }

    @Test
    void spqrWithOutliers() {
        SpqrSolver.Result r = spqr(0.005);
        for (int j = 0; j < 8; j++) {
            assertEquals(j != 1, r.outliers().get(8 + j), "row 1, column " + j);
            assertTrue(!r.outliers().get(j), "row 0, column " + j);
        }
        assertArrayEquals(W.rows(1, 2).data(), r.weight().rows(1, 2).data());
    }

    @Test
    void osPlusThresholdSearch() {
        Matrix x = table(16, (t, j) -> 5f * X.get(t, j));
        float[] bias = {0.1f, -0.2f};
        ShiftAndScale extremes = ShiftAndScale.of(List.of(x));
        float[] shift = extremes.shift();
        assertArrayEquals(new float[] {0.08187342f, 0.09826350f}, Arrays.copyOf(shift, 2), 1e-6f);
        Matrix target = output(x, W, bias);
        Matrix shifted = table(16, (t, j) -> x.get(t, j) - shift[j]);
        float[] moved = Products.linear(new Matrix(1, 8, shift), W).data();
        float[] shiftedBias = {bias[0] + moved[0], bias[1] + moved[1]};
        Quantizer weights = Quantizer.of(QuantScheme.integer(4, true, Granularity.PER_CHANNEL));
        Quantizer activations = Quantizer.of(QuantScheme.integer(4, true, Granularity.PER_TOKEN));
        ShiftAndScale.Found found = extremes.minus(shift).search(scale -> {
            Matrix w = table(2, (i, j) -> W.get(i, j) * scale[j]);
            Matrix in = table(16, (t, j) -> shifted.get(t, j) / scale[j]);
            Matrix y = output(activations.fakeQuantize(in), weights.fakeQuantize(w), shiftedBias);
            double sum = 0;
            for (int i = 0; i < y.data().length; i++) {
                double d = y.data()[i] - target.data()[i];
                sum += d * d;
            }
            return sum / 16;
        });
        assertEquals(101, found.tried());
        assertEquals(6.4253022, found.threshold(), 1e-5);
        assertArrayEquals(new float[] {1f, 1f, 1.2343773f, 1.4649396f, 1.6947434f, 1.9235932f, 2.1512930f, 2.3776486f}, found.scale(), 2e-6f);
    }

    private static Matrix output(Matrix x, Matrix w, float[] bias) {
        Matrix y = Products.linear(x, w);
        for (int i = 0; i < y.data().length; i++) {
            y.data()[i] += bias[i % bias.length];
        }
        return y;
    }

    @Test
    void osPlusAtExactlyOneEnds() {
        ShiftAndScale.Found found = ShiftAndScale.of(List.of(new Matrix(1, 2, new float[] {1f, -0.5f}))).search(s -> 0);
        assertEquals(1, found.tried());
        assertArrayEquals(new float[] {1f, 1f}, found.scale());
        assertEquals(0, ShiftAndScale.of(List.of(new Matrix(1, 2, new float[] {0.9f, -0.5f}))).search(s -> 0).tried());
    }
}
