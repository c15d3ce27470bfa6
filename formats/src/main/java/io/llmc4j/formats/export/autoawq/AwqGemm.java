package io.llmc4j.formats.export.autoawq;

import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.packing.AwqNibbles;
import io.llmc4j.engine.quant.packing.CodeOffset;
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

/**
 * Version {@code gemm} of AutoAWQ.
 *
 * <ul>
 * <li>{@code qweight} I32 [in, out / 8]: word c of row k holds the codes of output channels 8c … 8c + 7, nibble i channel 8c + (0, 2, 4, 6, 1,
 * 3, 5, 7)[i];
 * <li>{@code qzeros} I32 [groups, out / 8], the same interleave, the true zero point;
 * <li>{@code scales} F16 [groups, out].
 * </ul>
 * Value = (code - zero) * scale. One scale a channel is stored as one group of all inputs.
 */
public final class AwqGemm implements WeightCodec {

    @Override
    public String whyNot(QuantizedMatrix q) {
        Granularity.Kind kind = q.scheme().granularity().kind();
        if (!q.scheme().isInteger() || q.scheme().bits() != 4) {
            return "AutoAWQ holds 4-bit integers, not " + q.scheme().format();
        }
        if (kind != Granularity.Kind.PER_GROUP && kind != Granularity.Kind.PER_CHANNEL) {
            return "AutoAWQ holds scales per group, not " + kind;
        }
        if (q.columnGroup().length != 0) {
            return "AutoAWQ has no place for the order of columns (act-order)";
        }
        if (q.rows() % 8 != 0) {
            return "AutoAWQ packs output channels by eight, and " + q.rows() + " is not a multiple";
        }
        return UnsignedCodes.whyNot(q);
    }

    @Override
    public QuantizedMatrix stored(QuantizedMatrix q) {
        QuantizedMatrix u = UnsignedCodes.of(q);
        return StoredScales.withScales(u, StoredScales.rounded(u.scales(), DType.F16));
    }

    @Override
    public Map<String, Tensor> encode(QuantizedMatrix q, Arena arena) {
        QuantizedMatrix u = UnsignedCodes.of(q);
        int out = q.rows();
        int in = q.cols();
        int groups = q.scales().length / out;
        Map<String, Tensor> t = new LinkedHashMap<>();
        t.put("qweight", Tensors.fromInts(new Shape(in, out / 8), AwqNibbles.pack(in, out, StoredScales.transpose(u.codes(), out, in)), arena));
        byte[] zeros = CodeOffset.ofZeros(StoredScales.transpose(u.zeros(), out, groups), 0, 4);
        t.put("qzeros", Tensors.fromInts(new Shape(groups, out / 8), AwqNibbles.pack(groups, out, zeros), arena));
        t.put("scales", Tensors.fromFloats(DType.F16, new Shape(groups, out), StoredScales.transpose(u.scales(), out, groups), arena));
        return t;
    }

    @Override
    public QuantizedMatrix decode(ModuleTensors t) {
        Tensor qweight = t.matrix("qweight", DType.I32);
        int in = Math.toIntExact(qweight.shape().dim(0));
        int out = Math.toIntExact(Math.multiplyExact(qweight.shape().dim(1), 8L));
        Tensor qzeros = t.matrix("qzeros", DType.I32);
        int groups = Math.toIntExact(qzeros.shape().dim(0));
        if (groups == 0 || in % groups != 0) {
            throw t.wrong("qzeros", "has %d groups for %d inputs, which they do not divide", groups, in);
        }
        t.shaped("qzeros", new Shape(groups, out / 8), DType.I32);
        Tensor scales = t.shaped("scales", new Shape(groups, out), DType.F16, DType.BF16, DType.F32);
        byte[] codes = StoredScales.transpose(AwqNibbles.unpack(in, out, Tensors.toInts(qweight)), in, out);
        float[] zeros = CodeOffset.toZeros(AwqNibbles.unpack(groups, out, Tensors.toInts(qzeros)), 0, 4);
        QuantScheme scheme = QuantScheme.integer(4, false, groups == 1 ? Granularity.PER_CHANNEL : Granularity.perGroup(in / groups));
        return new QuantizedMatrix(scheme, out, in, codes, StoredScales.transpose(Tensors.toFloats(scales), groups, out),
                StoredScales.transpose(zeros, groups, out), new int[0], 1f);
    }
}
