package io.llmc4j.formats.export.mxfp4;

import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.ScaleFormat;
import io.llmc4j.engine.quant.packing.NibblePairs;
import io.llmc4j.engine.tensor.Conversions;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One expert's slice of a stack: {@code blocks} U8 [out, in / 32, 16], the even column in the low nibble, a nibble being sign and index into
 * 0, .5, 1, 1.5, 2, 3, 4, 6; {@code scales} U8 [out, in / 32], exponents with bias 127. Rows are output features, unlike those of the float stack.
 */
final class StackedMxfp4 {

    static final int GROUP = 32;
    static final QuantScheme SCHEME = QuantScheme.microscaling("e2m1");

    private StackedMxfp4() {
    }

    /** Why a scheme has no place in it; empty when it has. */
    static String whyNot(QuantScheme s) {
        boolean fits = s.format() instanceof NumberFormat.Float f && f.label().equals("e2m1") && (s.scaleFormat() == ScaleFormat.E8M0
                || s.scaleFormat() == ScaleFormat.E8M0_ROUNDED) && s.granularity().equals(Granularity.perGroup(GROUP));
        return fits ? "" : (s.isInteger() ? s.bits() + "-bit integers" : s.format() + " in groups " + s.granularity()) + ": it takes mxfp4 (--bits mxfp4)";
    }

    static Map<String, Tensor> encode(QuantizedMatrix q, Arena arena) {
        byte[] scales = new byte[q.scales().length];
        for (int i = 0; i < scales.length; i++) {
            scales[i] = Conversions.floatToE8m0(q.scales()[i], true);
        }
        Map<String, Tensor> out = new LinkedHashMap<>();
        out.put("blocks", Tensors.fromBytes(DType.U8, new Shape(q.rows(), q.cols() / GROUP, GROUP / 2), NibblePairs.pack(q.rows(), q.cols(), q.codes()), arena));
        out.put("scales", Tensors.fromBytes(DType.U8, new Shape(q.rows(), q.cols() / GROUP), scales, arena));
        return out;
    }

    /** What {@link #encode} holds, whichever rule chose the scales. */
    static QuantizedMatrix stored(QuantizedMatrix q) {
        return new QuantizedMatrix(SCHEME, q.rows(), q.cols(), q.codes(), q.scales(), new float[0], new int[0], 1f);
    }

    static QuantizedMatrix decode(int rows, int cols, byte[] blocks, byte[] exponents) {
        float[] scales = new float[exponents.length];
        for (int i = 0; i < scales.length; i++) {
            scales[i] = Conversions.e8m0ToFloat(exponents[i]);
        }
        return new QuantizedMatrix(SCHEME, rows, cols, NibblePairs.unpack(rows, cols, blocks), scales, new float[0], new int[0], 1f);
    }
}
