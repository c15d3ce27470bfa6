package io.llmc4j.formats.export.gptq;

import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.packing.CodeOffset;
import io.llmc4j.engine.quant.packing.DenseBits;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.export.WeightCodec;
import io.llmc4j.formats.export.ModuleTensors;
import io.llmc4j.formats.export.StoredScales;
import io.llmc4j.formats.export.UnsignedCodes;
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * GPTQ's tensors.
 *
 * <ul>
 * <li>{@code qweight} I32 [in * b / 32, out]: a dense stream down the input channels, in their own order;
 * <li>{@code qzeros} I32 [groups, out * b / 32]: a dense stream along the outputs; version 1 stores zero - 1, version 2 the zero itself;
 * <li>{@code scales} F16 [groups, out];
 * <li>{@code g_idx} I32 [in]: the group of each input channel.
 * </ul>
 * Value = (code - zero) * scale. Loaders of version 1 add one to a field and do not wrap, so a zero point of 0 cannot be stored in it.
 */
public final class GptqCodec implements WeightCodec {

    private static final Set<Integer> WIDTHS = Set.of(2, 3, 4, 8);

    private final int bits;
    private final boolean symmetric;
    private final boolean offByOne;

    /**
     * @param symmetric read: codes whose zero points are all 2^(b-1) come back signed and without zero points
     * @param offByOne  version 1
     */
    public GptqCodec(int bits, boolean symmetric, boolean offByOne) {
        this.bits = bits;
        this.symmetric = symmetric;
        this.offByOne = offByOne;
    }

    @Override
    public String whyNot(QuantizedMatrix q) {
        Granularity.Kind kind = q.scheme().granularity().kind();
        if (!q.scheme().isInteger() || !WIDTHS.contains(q.scheme().bits())) {
            return "GPTQ holds integers of 2, 3, 4 or 8 bits, not " + q.scheme().format();
        }
        if (kind != Granularity.Kind.PER_GROUP && kind != Granularity.Kind.PER_CHANNEL) {
            return "GPTQ holds scales per group or channel, not " + kind;
        }
        if (q.rows() % 32 != 0 || q.cols() % 32 != 0) {
            return "GPTQ packs by 32 in both directions, and [" + q.rows() + ", " + q.cols() + "] are not multiples";
        }
        String why = UnsignedCodes.whyNot(q);
        if (why.isEmpty() && offByOne) {
            for (float z : UnsignedCodes.of(q).zeros()) {
                if (z == 0) {
                    return "version 1 stores zero - 1, so a zero point of 0 has no place; version 2 (gptq_v2) holds it";
                }
            }
        }
        return why;
    }

    @Override
    public QuantizedMatrix stored(QuantizedMatrix q) {
        QuantizedMatrix u = UnsignedCodes.of(q);
        QuantizedMatrix s = StoredScales.withScales(u, StoredScales.rounded(u.scales(), DType.F16));
        return symmetric ? UnsignedCodes.symmetricWherePossible(s) : s;
    }

    @Override
    public Map<String, Tensor> encode(QuantizedMatrix q, Arena arena) {
        QuantizedMatrix u = UnsignedCodes.of(q);
        int out = q.rows();
        int in = q.cols();
        int groups = q.scales().length / out;
        Map<String, Tensor> t = new LinkedHashMap<>();
        int[] words = DenseBits.packColumns(in, out, bits, StoredScales.transpose(u.codes(), out, in));
        t.put("qweight", Tensors.fromInts(new Shape(DenseBits.words(in, bits), out), words, arena));
        byte[] zeros = CodeOffset.ofZeros(StoredScales.transpose(u.zeros(), out, groups), offByOne ? -1 : 0, bits);
        t.put("qzeros", Tensors.fromInts(new Shape(groups, DenseBits.words(out, bits)), DenseBits.packRows(groups, out, bits, zeros), arena));
        t.put("scales", Tensors.fromFloats(DType.F16, new Shape(groups, out), StoredScales.transpose(u.scales(), out, groups), arena));
        t.put("g_idx", Tensors.fromInts(new Shape(in), u.columnGroup().length == 0 ? contiguous(in, groups) : u.columnGroup(), arena));
        return t;
    }

    private static int[] contiguous(int in, int groups) {
        int[] g = new int[in];
        for (int k = 0; k < in; k++) {
            g[k] = k / (in / groups);
        }
        return g;
    }

    @Override
    public QuantizedMatrix decode(ModuleTensors t) {
        Tensor qweight = t.matrix("qweight", DType.I32);
        int out = Math.toIntExact(qweight.shape().dim(1));
        int in = Math.toIntExact(qweight.shape().dim(0) * 32 / bits);
        if (DenseBits.words(in, bits) != qweight.shape().dim(0)) {
            throw t.wrong("qweight", "has %d rows, which is no whole number of %d-bit codes", qweight.shape().dim(0), bits);
        }
        int groups = Math.toIntExact(t.matrix("qzeros", DType.I32).shape().dim(0));
        if (groups == 0 || in % groups != 0) {
            throw t.wrong("qzeros", "has %d groups for %d inputs, which they do not divide", groups, in);
        }
        Tensor qzeros = t.shaped("qzeros", new Shape(groups, DenseBits.words(out, bits)), DType.I32);
        Tensor scales = t.shaped("scales", new Shape(groups, out), DType.F16, DType.BF16, DType.F32);
        byte[] codes = StoredScales.transpose(DenseBits.unpackColumns(in, out, bits, Tensors.toInts(qweight)), in, out);
        float[] zeros = CodeOffset.toZeros(DenseBits.unpackRows(groups, out, bits, Tensors.toInts(qzeros)), offByOne ? -1 : 0, bits);
        QuantScheme scheme = QuantScheme.integer(bits, false, groups == 1 ? Granularity.PER_CHANNEL : Granularity.perGroup(in / groups));
        QuantizedMatrix q = new QuantizedMatrix(scheme, out, in, codes, StoredScales.transpose(Tensors.toFloats(scales), groups, out),
                StoredScales.transpose(zeros, groups, out), columnGroups(t, in, groups), 1f);
        return symmetric ? UnsignedCodes.symmetricWherePossible(q) : q;
    }

    /** {@code g_idx} where it says more than k / group size. Older files leave it out. */
    private static int[] columnGroups(ModuleTensors t, int in, int groups) {
        if (!t.has("g_idx") || groups == 1) {
            return new int[0];
        }
        int[] g = Tensors.toInts(t.shaped("g_idx", new Shape(in), DType.I32, DType.I64));
        boolean plain = true;
        for (int k = 0; k < in; k++) {
            if (g[k] < 0 || g[k] >= groups) {
                throw t.wrong("g_idx", "puts input %d in group %d; there are %d groups", k, g[k], groups);
            }
            plain &= g[k] == k / (in / groups);
        }
        return plain ? new int[0] : g;
    }
}
