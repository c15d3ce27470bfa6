package io.llmc4j.laws;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.linalg.Cholesky;
import io.llmc4j.engine.linalg.NotPositiveDefinite;
import io.llmc4j.engine.linalg.Precision;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Random;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import net.jqwik.api.constraints.IntRange;

/** Cholesky factors and the upper factor of the inverse: residuals in double, refusal, and the same bits however they are computed. */
class CholeskyLaws {

    /** XᵀX / rows + damping: condition number about 1 / damping. */
    private static Matrix positiveDefinite(Random r, int n, float damping) {
        Matrix x = new Matrix(n + 5, n);
        for (int i = 0; i < x.data().length; i++) {
            x.data()[i] = (float) r.nextGaussian() / (float) Math.sqrt(n);
        }
        Matrix h = Products.gram(x);
        for (int i = 0; i < n; i++) {
            h.data()[i * n + i] += damping;
        }
        return h;
    }

    @Property(tries = 8, shrinking = ShrinkingMode.OFF)
    void lowerTimesItsTransposeIsH(@ForAll @IntRange(min = 1, max = 200) int n, @ForAll long seed) {
        Matrix h = positiveDefinite(new Random(seed), n, 0.01f);
        for (Precision p : Precision.values()) {
            Matrix l = Cholesky.lower(h, p);
            double worst = 0;
            for (int i = 0; i < n; i++) {
                for (int j = 0; j < n; j++) {
                    double s = 0;
                    for (int k = 0; k < n; k++) {
                        s += (double) l.get(i, k) * l.get(j, k);
                    }
                    worst = Math.max(worst, Math.abs(s - h.get(i, j)));
                    assertTrue(j <= i || l.get(i, j) == 0);
                }
            }
            // Backward error of a float32 factor: a small multiple of n · 2^-24 · max H; of a rounded double one, no n.
            assertTrue(worst <= (p == Precision.FLOAT64 ? 8 : 4 + n) * 0x1p-24 * 4, n + " " + p + ": " + worst);
        }
    }

    /** U H Uᵀ = I, which is H⁻¹ = UᵀU. */
    @Property(tries = 8, shrinking = ShrinkingMode.OFF)
    void upperFactorInvertsH(@ForAll @IntRange(min = 1, max = 300) int n, @ForAll long seed) {
        Matrix h = positiveDefinite(new Random(seed), n, 0.1f);
        for (Precision p : Precision.values()) {
            Matrix u = Cholesky.upperInverseFactor(h, p);
            double worst = 0;
            double[] uh = new double[n];
            for (int i = 0; i < n; i++) {
                for (int j = 0; j < n; j++) {
                    double s = 0;
                    for (int k = i; k < n; k++) {
                        s += (double) u.get(i, k) * h.get(k, j);
                    }
                    uh[j] = s;
                    assertTrue(j >= i || u.get(i, j) == 0);
                }
                for (int j = 0; j < n; j++) {
                    double s = 0;
                    for (int k = j; k < n; k++) {
                        s += uh[k] * u.get(j, k);
                    }
                    worst = Math.max(worst, Math.abs(s - (i == j ? 1 : 0)));
                }
            }
            // Condition number about 50: rounding U costs a few 2^-24 of that, float32 arithmetic up to n times more.
            assertTrue(worst <= (p == Precision.FLOAT64 ? 100 : 100 + 50 * n) * 0x1p-24, n + " " + p + ": " + worst);
        }
    }

    @Example
    void knownFactor() {
        // The 3 x 3 example of textbooks: L = [2; 6 1; -8 5 3].
        Matrix h = new Matrix(3, 3, new float[] {4, 12, -16, 12, 37, -43, -16, -43, 98});
        for (Precision p : Precision.values()) {
            assertArrayEquals(new float[] {2, 0, 0, 6, 1, 0, -8, 5, 3}, Cholesky.lower(h, p).data());
        }
        // H = diag(4, 16): U = diag(1/2, 1/4).
        assertArrayEquals(new float[] {0.5f, 0, 0, 0.25f}, Cholesky.upperInverseFactor(new Matrix(2, 2, new float[] {4, 0, 0, 16})).data(), 1e-30f);
    }

    @Property(tries = 8, shrinking = ShrinkingMode.OFF)
    void thePivotIsNamed(@ForAll @IntRange(min = 2, max = 200) int n, @ForAll @IntRange(max = 199) int at, @ForAll long seed) {
        int bad = at % n;
        Matrix h = positiveDefinite(new Random(seed), n, 0.1f);
        for (int j = 0; j < n; j++) {
            h.set(bad, j, 0);
            h.set(j, bad, 0);
        }
        h.set(bad, bad, seed % 2 == 0 ? -1 : Float.NaN);
        for (Precision p : Precision.values()) {
            NotPositiveDefinite e = assertThrows(NotPositiveDefinite.class, () -> Cholesky.lower(h, p));
            assertEquals(bad, e.row());
            assertTrue(!(e.pivot() > 0) && e.getMessage().contains("row " + bad + " "));
            assertEquals(bad, assertThrows(NotPositiveDefinite.class, () -> Cholesky.upperInverseFactor(h, p)).row());
        }
    }

    @Example
    void sameBitsForThreadsAndKernels() {
        Matrix h = positiveDefinite(new Random(3), 421, 0.05f);
        Kernels before = Kernels.get();
        int threads = Parallel.threads();
        try {
            for (Precision p : Precision.values()) {
                Kernels.use(Kernels.named("scalar"));
                Parallel.setThreads(1);
                float[] u = Cholesky.upperInverseFactor(h, p).data();
                float[] l = Cholesky.lower(h, p).data();
                Kernels.use(Kernels.named("vector"));
                for (int t : new int[] {1, 2, 3}) {
                    Parallel.setThreads(t);
                    assertArrayEquals(u, Cholesky.upperInverseFactor(h, p).data());
                    assertArrayEquals(l, Cholesky.lower(h, p).data());
                }
            }
        } finally {
            Kernels.use(before);
            Parallel.setThreads(threads);
        }
    }
}
