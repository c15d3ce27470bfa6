package io.llmc4j.formats.audit;

import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.formats.export.UnsignedCodes;

/** Codes of one layer in two models, brought to one form: a symmetric grid stored with zero points of 2^(b-1) is the same grid. */
final class CodeComparison {

    private CodeComparison() {
    }

    static CodeDifference.Layer of(int block, String name, QuantizedMatrix left, QuantizedMatrix right) {
        QuantizedMatrix a = form(left);
        QuantizedMatrix b = form(right);
        String why = whyNot(a, b);
        String labelA = CodeGrid.label(left.scheme());
        String labelB = CodeGrid.label(right.scheme());
        long n = a.codes().length;
        if (!why.isEmpty()) {
            return new CodeDifference.Layer(block, name, labelA, labelB, n, n, 0, 0, 0, why);
        }
        long different = 0;
        int largest = 0;
        for (int i = 0; i < n; i++) {
            int x = a.codes()[i] & 0xff;
            int y = b.codes()[i] & 0xff;
            different += x == y ? 0 : 1;
            largest = Math.max(largest, Math.abs(x - y));
        }
        double scale = 0;
        for (int i = 0; i < a.scales().length; i++) {
            float x = a.scales()[i] / a.tensorScale();
            float y = b.scales()[i] / b.tensorScale();
            scale = x == y ? scale : Math.max(scale, Math.abs((double) x - y) / Math.max(Math.abs(x), Math.abs(y)));
        }
        long zeros = 0;
        for (int i = 0; i < a.zeros().length; i++) {
            zeros += a.zeros()[i] == b.zeros()[i] ? 0 : 1;
        }
        return new CodeDifference.Layer(block, name, labelA, labelB, n, different, largest, scale, zeros, "");
    }

    /** A layer that only one of the two has codes for. */
    static CodeDifference.Layer oneSided(int block, String name, QuantScheme scheme, long codes, boolean left, String other) {
        String label = CodeGrid.label(scheme);
        return new CodeDifference.Layer(block, name, left ? label : other, left ? other : label, codes, codes, 0, 0, 0,
                left ? "quantized in the first only" : "quantized in the second only");
    }

    private static QuantizedMatrix form(QuantizedMatrix q) {
        return q.scheme().format() instanceof NumberFormat.Int && UnsignedCodes.whyNot(q).isEmpty() ? UnsignedCodes.of(q) : q;
    }

    private static String whyNot(QuantizedMatrix a, QuantizedMatrix b) {
        if (a.rows() != b.rows() || a.cols() != b.cols()) {
            return "shapes [" + a.rows() + ", " + a.cols() + "] and [" + b.rows() + ", " + b.cols() + "]";
        }
        boolean floats = a.scheme().format() instanceof NumberFormat.Float x && b.scheme().format() instanceof NumberFormat.Float y && x.label().equals(y.label());
        if (!floats && !a.scheme().format().equals(b.scheme().format())) {
            return "different number formats";
        }
        if (a.scales().length != b.scales().length || a.zeros().length != b.zeros().length) {
            return a.scales().length == b.scales().length ? "one has zero points" : a.scales().length + " and " + b.scales().length + " ranges";
        }
        return java.util.Arrays.equals(a.columnGroup(), b.columnGroup()) ? "" : "different orders of groups (g_idx)";
    }
}
