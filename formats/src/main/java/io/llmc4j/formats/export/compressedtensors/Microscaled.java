package io.llmc4j.formats.export.compressedtensors;

import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.ScaleFormat;
import io.llmc4j.engine.quant.packing.NibblePairs;
import io.llmc4j.engine.tensor.Conversions;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.export.WeightCodec;
import io.llmc4j.formats.export.ModuleTensors;
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Small floats with small scales: {@code nvfp4-pack-quantized}, {@code mxfp4-pack-quantized}, {@code mxfp8-quantized}.
 *
 * <ul>
 * <li>4 bits: {@code weight_packed} U8 [out, in / 2], the even column in the low nibble, a nibble being sign and index into
 * 0, .5, 1, 1.5, 2, 3, 4, 6; 8 bits: {@code weight} F8_E4M3 [out, in];
 * <li>{@code weight_scale}: NVFP4 F8_E4M3 [out, in / 16]; microscaling U8 [out, in / 32], an exponent with bias 127;
 * <li>{@code weight_global_scale} F32 [1], NVFP4 only: value = code * (scale / global).
 * </ul>
 */
final class Microscaled implements WeightCodec {

    private final QuantArgs args;

    Microscaled(QuantArgs args) {
        this.args = args;
    }

    @Override
    public String whyNot(QuantizedMatrix q) {
        if (q.columnGroup().length != 0) {
            return "it has no place for the order of columns (act-order)";
        }
        if (q.cols() % 2 != 0) {
            return q.cols() + " columns cannot be stored in pairs";
        }
        if (q.scheme().format() instanceof NumberFormat.Float f && q.scheme().scaleFormat() != ScaleFormat.FLOAT
                && (f.label().equals("e2m1") || f.label().equals("e4m3") && q.scheme().scaleFormat() != ScaleFormat.E4M3_TWO_LEVEL)) {
            return "";
        }
        return "NVFP4, MXFP4 and MXFP8 hold e2m1 or e4m3 with e4m3 or power-of-two scales, not " + q.scheme().format() + " with " + q.scheme().scaleFormat();
    }

    @Override
    public Map<String, Tensor> encode(QuantizedMatrix q, Arena arena) {
        Map<String, Tensor> out = new LinkedHashMap<>();
        if (q.scheme().bits() == 4) {
            out.put("weight_packed", Tensors.fromBytes(DType.U8, new Shape(q.rows(), q.cols() / 2), NibblePairs.pack(q.rows(), q.cols(), q.codes()), arena));
        } else {
            out.put("weight", Tensors.fromBytes(DType.F8_E4M3, new Shape(q.rows(), q.cols()), q.codes(), arena));
        }
        boolean twoLevel = q.scheme().scaleFormat() == ScaleFormat.E4M3_TWO_LEVEL;
        byte[] scales = new byte[q.scales().length];
        for (int i = 0; i < scales.length; i++) {
            scales[i] = twoLevel ? Conversions.floatToE4m3(q.scales()[i], true) : Conversions.floatToE8m0(q.scales()[i], true);
        }
        out.put("weight_scale", Tensors.fromBytes(twoLevel ? DType.F8_E4M3 : DType.U8, new Shape(q.rows(), q.groups()), scales, arena));
        if (twoLevel) {
            out.put("weight_global_scale", Tensors.fromFloats(DType.F32, new Shape(1), new float[]{q.tensorScale()}, arena));
        }
        return out;
    }

    @Override
    public QuantizedMatrix stored(QuantizedMatrix q) {
        return q;
    }

    @Override
    public QuantizedMatrix decode(ModuleTensors t) {
        boolean nibbles = args.bits() == 4;
        Tensor w = nibbles ? t.matrix("weight_packed", DType.U8) : t.matrix("weight", DType.F8_E4M3);
        int rows = Math.toIntExact(w.shape().dim(0));
        int cols = Math.toIntExact(w.shape().dim(1) * (nibbles ? 2 : 1));
        byte[] codes = nibbles ? NibblePairs.unpack(rows, cols, Tensors.toBytes(w)) : Tensors.toBytes(w);
        Shape grid = new Shape(rows, Math.ceilDiv(cols, args.groupSize()));
        float[] scales;
        float global = 1f;
        if (args.twoLevel()) {
            scales = Tensors.toFloats(t.shaped("weight_scale", grid, DType.F8_E4M3));
            global = t.floats("weight_global_scale", 1)[0];
        } else {
            byte[] raw = Tensors.toBytes(t.shaped("weight_scale", grid, DType.U8, DType.F8_E8M0));
            scales = new float[raw.length];
            for (int i = 0; i < raw.length; i++) {
                scales[i] = Conversions.e8m0ToFloat(raw[i]);
            }
        }
        return new QuantizedMatrix(args.scheme(), rows, cols, codes, scales, new float[0], new int[0], global);
    }
}
