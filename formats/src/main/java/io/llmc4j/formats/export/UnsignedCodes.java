package io.llmc4j.formats.export;

import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.packing.CodeOffset;
import java.util.Arrays;

/** The form that AutoAWQ and GPTQ store: codes from 0, and a zero point for every range (2^(b-1) where the grid is symmetric). */
public final class UnsignedCodes {

    private UnsignedCodes() {
    }

    /** Why there is no such form, one clause; empty when there is. */
    public static String whyNot(QuantizedMatrix q) {
        if (!(q.scheme().format() instanceof NumberFormat.Int f)) {
            return "it holds integers, not " + q.scheme().format();
        }
        int top = (1 << f.bits()) - 1;
        if (f.qmin() >= 0 && q.zeros().length == 0) {
            return "unsigned codes without zero points have no place in it";
        }
        for (float z : q.zeros()) {
            if (z != (int) z || f.qmin() >= 0 && (z < 0 || z > top)) {
                return "its zero points are integers from 0 to " + top + ", and one is " + z;
            }
        }
        return "";
    }

    public static QuantizedMatrix of(QuantizedMatrix q) {
        NumberFormat.Int f = (NumberFormat.Int) q.scheme().format();
        if (f.qmin() >= 0) {
            return q;
        }
        int half = 1 << (f.bits() - 1);
        float[] zeros = new float[q.scales().length];
        Arrays.fill(zeros, half);
        for (int i = 0; i < q.zeros().length; i++) {
            zeros[i] += q.zeros()[i];
        }
        QuantScheme scheme = QuantScheme.integer(f.bits(), false, q.scheme().granularity());
        return new QuantizedMatrix(scheme, q.rows(), q.cols(), CodeOffset.toUnsigned(q.codes(), f.bits()), q.scales(), zeros, q.columnGroup(), q.tensorScale());
    }

    /** Signed codes without zero points where every zero point is 2^(b-1); else as it is. */
    public static QuantizedMatrix symmetricWherePossible(QuantizedMatrix q) {
        int bits = q.scheme().bits();
        for (float z : q.zeros()) {
            if (z != 1 << (bits - 1)) {
                return q;
            }
        }
        QuantScheme scheme = QuantScheme.integer(bits, true, q.scheme().granularity());
        return new QuantizedMatrix(scheme, q.rows(), q.cols(), CodeOffset.toSigned(q.codes(), bits), q.scales(), new float[0], q.columnGroup(), q.tensorScale());
    }
}
