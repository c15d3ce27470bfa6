package io.llmc4j.laws;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Products of few rows or columns have tiles of their own, which load whole vectors near the ends of rows: every small shape, in arrays that end where the last
 * row ends, must give the bits of the definition and never read outside. Large ones are cut into spans and keep their sums aside: so must they.
 */
class ProductShapesTest {

    private static final int[] SIZES = {1, 2, 3, 4, 5, 7, 8, 9, 11, 13, 15, 16, 17, 31, 33};
    private static final int[] DEPTHS = {1, 2, 3, 4, 5, 7, 8, 9, 12, 19, 383, 390};

    private final Kernels scalar = Kernels.named("scalar");
    private final Kernels vector = Kernels.named("vector");
    private final Random random = new Random(7);

    @Test
    void everySmallShapeHasTheBitsOfTheDefinition() {
        for (int m : SIZES) {
            for (int n : SIZES) {
                for (int k : DEPTHS) {
                    check(m, n, k, k, k, false);
                }
            }
        }
    }

    @Test
    void rowsMayLieApartAndNextToEachOther() {
        for (int m : new int[] {1, 3, 9, 70}) {
            for (int n : new int[] {1, 2, 6, 17, 66}) {
                check(m, n, 390, 1024, 390, true);
                check(m, n, 390, 391, 2048, true);
                // Leading dimensions below k: rows overlap, as in a convolution.
                check(m, n, 21, 1, 21, true);
                check(m, n, 21, 2, 3, false);
            }
        }
    }

    @Test
    void threadsDoNotMatter() {
        int threads = Parallel.threads();
        try {
            Parallel.setThreads(3);
            check(1, 2100, 800, 800, 800, true);
            check(2100, 3, 800, 800, 1024, false);
            check(2100, 21, 400, 400, 400, true);
            check(12, 2100, 400, 1024, 400, true);
        } finally {
            Parallel.setThreads(threads);
        }
    }

    @Test
    void productsOfSeveralSpansHaveTheBitsOfTheDefinition() {
        check(1205, 69, 400, 400, 400, true);
        check(45, 1067, 400, 410, 400, false);
        int n = 1210;
        int rows = 390;
        float[] x = random(rows * n);
        float[] before = random(n * n);
        float[] expected = before.clone();
        scalar.syrk(rows, n, x, 0, n, expected, n);
        scalar.gemmTN(70, 1030, rows, x, 3, n, x, 0, n, expected, 0, n, true);
        int threads = Parallel.threads();
        try {
            for (int count : new int[] {1, 3}) {
                Parallel.setThreads(count);
                float[] found = before.clone();
                vector.syrk(rows, n, x, 0, n, found, n);
                vector.gemmTN(70, 1030, rows, x, 3, n, x, 0, n, found, 0, n, true);
                assertArrayEquals(expected, found, () -> "XᵀX and AᵀB on " + count + " threads");
            }
        } finally {
            Parallel.setThreads(threads);
        }
    }

    @Test
    void aLowerTriangleIsTheOneOfTheWholeProduct() {
        for (int n : new int[] {1, 7, 16, 130, 261}) {
            int k = 390;
            float[] a = random(n * 400);
            float[] b = random(n * k);
            float[] expected = random(n * n);
            float[] found = expected.clone();
            float[] scalarly = expected.clone();
            vector.lowerNT(n, k, a, 0, 400, b, 0, k, found, 0, n);
            scalar.lowerNT(n, k, a, 0, 400, b, 0, k, scalarly, 0, n);
            scalar.gemmNT(n, n, k, a, 0, 400, b, 0, k, expected, 0, n, true);
            for (int i = 0; i < n; i++) {
                float[] row = Arrays.copyOfRange(expected, i * n, i * n + i + 1);
                assertArrayEquals(row, Arrays.copyOfRange(found, i * n, i * n + i + 1), "row " + i + " of " + n);
                assertArrayEquals(row, Arrays.copyOfRange(scalarly, i * n, i * n + i + 1), "row " + i + " of " + n);
            }
        }
    }

    private void check(int m, int n, int k, int lda, int ldb, boolean accumulate) {
        float[] a = random((m - 1) * lda + k);
        float[] b = random((n - 1) * ldb + k);
        float[] expected = random(m * (n + 1));
        float[] found = expected.clone();
        scalar.gemmNT(m, n, k, a, 0, lda, b, 0, ldb, expected, 0, n + 1, accumulate);
        vector.gemmNT(m, n, k, a, 0, lda, b, 0, ldb, found, 0, n + 1, accumulate);
        assertArrayEquals(expected, found, () -> m + " x " + n + " x " + k + ", lda " + lda + ", ldb " + ldb);
    }

    private float[] random(int n) {
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = random.nextFloat() - 0.5f;
        }
        return v;
    }
}
