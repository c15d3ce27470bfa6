package io.llmc4j.formats.export.compressedtensors;

import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.packing.CodeOffset;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.export.WeightCodec;
import io.llmc4j.formats.export.ModuleTensors;
import io.llmc4j.formats.export.StoredScales;
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * {@code int-quantized}, {@code float-quantized} and {@code naive-quantized}: one byte a code.
 *
 * <ul>
 * <li>{@code weight} I8 or F8_E4M3 [out, in];
 * <li>{@code weight_scale} F32 [1], [out, 1], [out, groups] or the grid of blocks. (LLMC stores them in the model's type; servers hold them in
 * float32, and a bfloat16 scale would move every weight by up to 0.4 %.)
 * <li>{@code weight_zero_point} I8 as the scales, asymmetric only, signed.
 * </ul>
 */
final class PlainQuantized implements WeightCodec {

    private final QuantArgs args;

    PlainQuantized(QuantArgs args) {
        this.args = args;
    }

    @Override
    public String whyNot(QuantizedMatrix q) {
        if (q.columnGroup().length != 0) {
            return "int-quantized and float-quantized have no place for the order of columns (act-order)";
        }
        if (q.scheme().isInteger()) {
            return q.scheme().bits() == 8 ? "" : "int-quantized holds 8-bit integers, not " + q.scheme().bits() + " bits; pack-quantized does";
        }
        return q.scheme().format() instanceof NumberFormat.Float f && f.label().equals("e4m3") ? "" : "float-quantized holds e4m3, not " + q.scheme().format();
    }

    @Override
    public Map<String, Tensor> encode(QuantizedMatrix q, Arena arena) {
        Map<String, Tensor> out = new LinkedHashMap<>();
        boolean ints = q.scheme().isInteger();
        byte[] codes = q.zeros().length == 0 ? q.codes() : CodeOffset.toSigned(q.codes(), 8);
        out.put("weight", Tensors.fromBytes(ints ? DType.I8 : DType.F8_E4M3, new Shape(q.rows(), q.cols()), codes, arena));
        out.put("weight_scale", Tensors.fromFloats(DType.F32, Grids.scaleShape(q), q.scales(), arena));
        if (q.zeros().length != 0) {
            out.put("weight_zero_point", Tensors.fromBytes(DType.I8, Grids.scaleShape(q), CodeOffset.toSigned(CodeOffset.ofZeros(q.zeros(), 0, 8), 8), arena));
        }
        return out;
    }

    @Override
    public QuantizedMatrix stored(QuantizedMatrix q) {
        return q;
    }

    @Override
    public QuantizedMatrix decode(ModuleTensors t) {
        Tensor w = args.isFloat() ? t.matrix("weight", DType.F8_E4M3) : t.matrix("weight", DType.I8, DType.I32);
        int rows = Math.toIntExact(w.shape().dim(0));
        int cols = Math.toIntExact(w.shape().dim(1));
        byte[] codes = w.dtype() == DType.I32 ? narrow(t, Tensors.toInts(w)) : Tensors.toBytes(w);
        int count = Math.toIntExact(Grids.scales(args, rows, cols));
        float[] scales = t.floats("weight_scale", count);
        float[] zeros = new float[0];
        if (!args.symmetric()) {
            Tensor z = t.get("weight_zero_point", DType.I8);
            if (z.elements() != count) {
                throw t.wrong("weight_zero_point", "has shape %s, expected %d elements as weight_scale has", z.shape(), count);
            }
            zeros = CodeOffset.toZeros(CodeOffset.toUnsigned(Tensors.toBytes(z), 8), 0, 8);
            codes = CodeOffset.toUnsigned(codes, 8);
        }
        return new QuantizedMatrix(args.scheme(), rows, cols, codes, scales, zeros, new int[0], 1f);
    }

    /** LLMC stores codes of fewer than eight bits unpacked as 32-bit integers when it does not pack. */
    private byte[] narrow(ModuleTensors t, int[] wide) {
        int half = 1 << (args.bits() - 1);
        byte[] out = new byte[wide.length];
        for (int i = 0; i < out.length; i++) {
            if (wide[i] < -half || wide[i] >= half) {
                throw t.wrong("weight", "holds the code %d at %d; %d bits allow %d to %d", wide[i], i, args.bits(), -half, half - 1);
            }
            out[i] = (byte) wide[i];
        }
        return out;
    }
}
