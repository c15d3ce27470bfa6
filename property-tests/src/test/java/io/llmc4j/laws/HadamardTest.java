package io.llmc4j.laws;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.linalg.Hadamard;
import io.llmc4j.engine.linalg.Rotation;
import io.llmc4j.engine.tensor.Matrix;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Hadamard tables against the digests and sums of LLMC's own, transforms against its numbers, and orthogonality. */
class HadamardTest {

    @ParameterizedTest
    @CsvSource({"12,78,e027244070138ccb", "20,210,fe417beb154e4a02", "28,404,875b595f85017a38", "36,664,ca2f600dadc9eef2", "40,820,f4f11581471d77d9",
        "52,1378,45407bed337ae245", "60,1830,134db0a162626c03", "108,5886,483c19233287dea6", "140,9870,93ac93395665b967",
        "156,11466,f1a893d61b8438fc", "172,15394,66cd19c8ae98afaf"})
    void tablesAreLlmcs(int order, int plusOnes, String digest) throws Exception {
        byte[] h = Hadamard.table(order);
        StringBuilder text = new StringBuilder();
        int ones = 0;
        for (byte v : h) {
            text.append(v > 0 ? '+' : '-');
            ones += v > 0 ? 1 : 0;
        }
        assertEquals(plusOnes, ones);
        byte[] sha = MessageDigest.getInstance("SHA-256").digest(text.toString().getBytes(StandardCharsets.US_ASCII));
        assertEquals(digest, HexFormat.of().formatHex(sha).substring(0, 16));
        for (int i = 0; i < order; i++) {
            for (int j = 0; j < order; j++) {
                int s = 0;
                for (int p = 0; p < order; p++) {
                    s += h[i * order + p] * h[j * order + p];
                }
                assertEquals(i == j ? order : 0, s);
            }
        }
    }

    @Test
    void orderChosen() {
        Map.of(768, 12, 2560, 40, 3072, 12, 5120, 40, 8960, 140, 11008, 172, 13824, 108, 14336, 28, 27648, 108, 4096, 1)
                .forEach((n, k) -> assertEquals(k, Hadamard.forSize(n).order(), "size " + n));
        for (int n : new int[] {18944, 4864, 0, 6}) {
            BadInput e = assertThrows(BadInput.class, () -> Hadamard.forSize(n));
            assertTrue(e.getMessage().contains(Integer.toString(n)));
            assertTrue(!Hadamard.supports(n));
        }
    }

    @Test
    void llmcsNumbers() {
        float[] four = {1, 2, 3, 4};
        Hadamard.forSize(4).transform(four, 0);
        assertArrayEquals(new float[] {5, -1, -2, 0}, four, 1e-6f);
        float[] eight = {1, 2, 3, 4, 5, 6, 7, 8};
        Hadamard.forSize(8).transform(eight, 0);
        assertArrayEquals(new float[] {12.7279f, -1.4142f, -2.8284f, 0, -5.6569f, 0, 0, 0}, eight, 1e-4f);
        float[] x = new float[24];
        double[] d = new double[24];
        for (int i = 0; i < 24; i++) {
            x[i] = i + 1;
            d[i] = i + 1;
        }
        Hadamard.forSize(24).transform(x, 0);
        Hadamard.forSize(24).transform(d, 0);
        float[] start = {-60.0125f, 2.0412f, 11.0227f, -0.4082f, 2.8577f, -0.4082f, 12.6557f};
        for (int i = 0; i < start.length; i++) {
            assertEquals(start[i], x[i], 1e-4f);
            assertEquals(start[i], d[i], 1e-4);
        }
    }

    /** Transforms of unit vectors are the columns of the matrix, and the matrix is orthogonal. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 12, 16, 40, 56, 144, 156, 172, 256, 344})
    void unitVectorsBecomeColumns(int n) {
        Hadamard h = Hadamard.forSize(n);
        double root = (float) Math.sqrt(n);
        Matrix identity = new Matrix(n, n);
        for (int i = 0; i < n; i++) {
            identity.set(i, i, 1);
        }
        Matrix inDouble = identity.copy();
        h.transformRows(identity);
        h.transformRowsInDouble(inDouble);
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                assertEquals(h.sign(j, i) / root, identity.get(i, j), 1e-7);
                assertEquals((float) (h.sign(j, i) / root), inDouble.get(i, j));
            }
        }
        Random r = new Random(n);
        int[] signs = r.ints(n, 0, 2).map(v -> 2 * v - 1).toArray();
        Rotation q = h.randomized(signs);
        for (int j = 0; j < n; j++) {
            assertEquals(signs[n / 2] * h.sign(j, n / 2) * (1 / root), q.q()[n / 2 * n + j]);
        }
        assertOrthogonal(q, 4e-7);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 7, 64, 131, 300})
    void randomOrthogonal(int n) {
        Random r = new Random(n);
        double[] a = r.doubles((long) n * n).map(v -> r.nextGaussian()).toArray();
        Rotation q = Rotation.orthogonalFactor(n, a);
        assertOrthogonal(q, 1e-13 * n);
        // R = Qᵀ A is upper triangular with a positive diagonal.
        for (int i = 0; i < n; i++) {
            for (int j = 0; j <= i; j++) {
                double s = 0;
                for (int p = 0; p < n; p++) {
                    s += q.q()[p * n + i] * a[p * n + j];
                }
                assertTrue(i == j ? s > 0 : Math.abs(s) < 1e-11 * n, n + ": R[" + i + ", " + j + "] = " + s);
            }
        }
    }

    @Test
    void productsWithRotations() {
        int n = 37;
        Random r = new Random(1);
        double[] a = new double[n * n];
        for (int i = 0; i < a.length; i++) {
            a[i] = r.nextGaussian();
        }
        Rotation q = new Rotation(n, a);
        Matrix w = new Matrix(1100, n);
        Matrix v = new Matrix(n, 1100);
        for (int i = 0; i < w.data().length; i++) {
            w.data()[i] = (float) r.nextGaussian();
            v.data()[i] = (float) r.nextGaussian();
        }
        Matrix wq = q.timesOnRight(w);
        Matrix qv = q.transposedTimes(v);
        for (int t = 0; t < 500; t++) {
            int i = r.nextInt(1100);
            int j = r.nextInt(n);
            double s = 0;
            double u = 0;
            for (int p = 0; p < n; p++) {
                s += w.get(i, p) * a[p * n + j];
                u += a[p * n + j] * v.get(p, i);
            }
            assertEquals(s, wq.get(i, j), 1e-6 * (1 + Math.abs(s)));
            assertEquals(u, qv.get(j, i), 1e-6 * (1 + Math.abs(u)));
        }
    }

    private static void assertOrthogonal(Rotation r, double tolerance) {
        int n = r.n();
        for (int i = 0; i < n; i++) {
            for (int j = 0; j <= i; j++) {
                double s = 0;
                for (int p = 0; p < n; p++) {
                    s += r.q()[i * n + p] * r.q()[j * n + p];
                }
                assertEquals(i == j ? 1 : 0, s, tolerance, "rows " + i + " and " + j + " of size " + n);
            }
        }
    }
}
