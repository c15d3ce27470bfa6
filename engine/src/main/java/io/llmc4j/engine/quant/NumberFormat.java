package io.llmc4j.engine.quant;

import io.llmc4j.engine.BadInput;

/** The grid that codes live on. */
public sealed interface NumberFormat {

    /** Bits of one code. */
    int bits();

    /** Integers from qmin to qmax. */
    record Int(int bits, int qmin, int qmax) implements NumberFormat {
        /** The usual range: two's complement when symmetric, 0 to 2^bits - 1 when not. */
        public static Int of(int bits, boolean symmetric) {
            return symmetric ? new Int(bits, -(1 << (bits - 1)), (1 << (bits - 1)) - 1) : new Int(bits, 0, (1 << bits) - 1);
        }

        /** "int4", with its ends where they are not the usual ones. */
        @Override
        public String toString() {
            return "int" + bits + (equals(of(bits, true)) || equals(of(bits, false)) ? "" : " from " + qmin + " to " + qmax);
        }
    }

    /**
     * A small float: one sign bit, {@code exponent} and {@code mantissa} bits.
     *
     * @param path   LLMC has two ways to round to such a grid
     * @param qmax   largest value of the grid that a scale is computed against (emulated path)
     */
    record Float(int exponent, int mantissa, Path path, float qmax) implements NumberFormat {
        /**
         * ADAPTIVE: real-valued exponent bias (spec 1.11). EMULATED: fixed grid and a scale, ties away from zero, saturating one step past
         * what 8-bit hardware has (1.12). EMULATED_EVEN: the same with ties to even. NEAREST_EVEN: the fixed grid as hardware rounds to it,
         * one rounding with ties to even, saturating at the format's largest value.
         */
        public enum Path { ADAPTIVE, EMULATED, EMULATED_EVEN, NEAREST_EVEN }

        /**
         * "e4m3" and its kin with the largest value that scales are computed against by convention: e4m3 448, e5m2 57344, else the
         * largest of the grid. Throws BadInput (CONFIG) when the label is not e, a digit, m, a digit.
         */
        public static Float of(String label, Path path) {
            if (!label.matches("e[1-7]m[1-9]")) {
                throw BadInput.of(BadInput.Common.CONFIG, "float format '%s' is not of the form eXmY (e2m1, e3m2, e4m3, e5m2, ...)", label);
            }
            int e = label.charAt(1) - '0';
            int m = label.charAt(3) - '0';
            return new Float(e, m, path, FloatGrid.stored(e, m));
        }

        @Override
        public int bits() {
            return 1 + exponent + mantissa;
        }

        /** "e4m3" and its kin. */
        public String label() {
            return "e" + exponent + "m" + mantissa;
        }

        @Override
        public String toString() {
            return label();
        }
    }

    /** LLMC's {@code bit: 48}: 4-bit codes over 8-bit codes (spec 1.14); weights only, no real codes. */
    record Int4OverInt8(QuantScheme eight, QuantScheme four, SecondLevel limits) implements NumberFormat {
        @Override
        public int bits() {
            return 4;
        }

        @Override
        public String toString() {
            return "int4 over int8";
        }
    }

    /** Limits that the second-level scales and zero points are clamped to; infinite where not configured. */
    record SecondLevel(float scaleMin, float scaleMax, float zeroMin, float zeroMax) { }
}
