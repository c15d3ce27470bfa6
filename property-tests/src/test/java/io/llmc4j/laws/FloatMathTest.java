package io.llmc4j.laws;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.kernel.FloatMath;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

/** exp, log, tanh and erf against StrictMath (erf: its series and continued fraction) in double. */
class FloatMathTest {

    private interface FloatFunction {
        float at(float x);
    }

    /** Largest distance from the truth, in units in the last place of the float nearest to it, over floats that are {@code step} bits apart. */
    private static double worst(FloatFunction f, DoubleUnaryOperator truth, int step) {
        double worst = 0;
        for (long bits = 0; bits < 0x7f800000L; bits += step) {
            for (int sign = 0; sign < 2; sign++) {
                float x = Float.intBitsToFloat((int) bits | sign << 31);
                double t = truth.applyAsDouble(x);
                float got = f.at(x);
                if (Double.isNaN(t)) {
                    assertTrue(Float.isNaN(got), "at " + x + " got " + got);
                } else if (Double.isInfinite((float) t) || t == 0) {
                    assertEquals((float) t, got, "at " + x);
                } else {
                    worst = Math.max(worst, Math.abs(got - t) / Math.ulp((float) t));
                }
            }
        }
        return worst;
    }

    @Test
    void expIsWithinTwoUlp() {
        assertTrue(worst(FloatMath::exp, StrictMath::exp, 1009) <= 2, () -> "exp " + worst(FloatMath::exp, StrictMath::exp, 1009));
    }

    @Test
    void logIsWithinTwoUlp() {
        double w = worst(FloatMath::log, StrictMath::log, 1009);
        assertTrue(w <= 2, "log " + w);
    }

    @Test
    void tanhIsWithinTwoUlp() {
        double w = worst(FloatMath::tanh, StrictMath::tanh, 1009);
        assertTrue(w <= 2, "tanh " + w);
    }

    @Test
    void erfIsWithinTwoUlp() {
        double w = worst(FloatMath::erf, FloatMathTest::erf, 4001);
        assertTrue(w <= 2, "erf " + w);
    }

    @Test
    void notANumberStaysSo() {
        assertTrue(Float.isNaN(FloatMath.exp(Float.NaN)) && Float.isNaN(FloatMath.log(Float.NaN))
                && Float.isNaN(FloatMath.tanh(Float.NaN)) && Float.isNaN(FloatMath.erf(Float.NaN)));
        assertEquals(0f, FloatMath.exp(Float.NEGATIVE_INFINITY));
        assertEquals(Float.POSITIVE_INFINITY, FloatMath.exp(Float.POSITIVE_INFINITY));
        assertEquals(-1f, FloatMath.tanh(Float.NEGATIVE_INFINITY));
        assertEquals(1f, FloatMath.erf(Float.POSITIVE_INFINITY));
    }

    /** Abramowitz and Stegun 7.1.6 for small arguments, 7.1.14 (continued fraction of erfc) for large ones. */
    private static double erf(double x) {
        double a = Math.abs(x);
        if (a > 6) {
            return Math.copySign(1, x);
        }
        double value;
        if (a < 2.5) {
            double term = a;
            double sum = a;
            for (int n = 1; n < 100; n++) {
                term *= 2 * a * a / (2 * n + 1);
                sum += term;
            }
            value = 2 / StrictMath.sqrt(StrictMath.PI) * StrictMath.exp(-a * a) * sum;
        } else {
            double f = 0;
            for (int n = 120; n > 0; n--) {
                f = n / 2.0 / (a + f);
            }
            value = 1 - StrictMath.exp(-a * a) / StrictMath.sqrt(StrictMath.PI) / (a + f);
        }
        return Math.copySign(value, x);
    }
}
