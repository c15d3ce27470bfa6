package io.llmc4j.formats.export.compressedtensors;

import io.llmc4j.engine.quant.Granularity;
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
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * {@code pack-quantized}: integers of 2 to 8 bits in a dense little-end bit stream along each row.
 *
 * <ul>
 * <li>{@code weight_packed} I32 [out, ceil(in * b / 32)]: code + 2^(b-1);
 * <li>{@code weight_scale} [out, groups]: F16 as LLMC writes it, F32 where a scale leaves the normal range of F16;
 * <li>{@code weight_zero_point} I32 [ceil(out * b / 32), groups], asymmetric only: packed down the rows;
 * <li>{@code weight_g_idx} I32 [in], where groups are not contiguous (act-order);
 * <li>{@code weight_shape} I64 [2].
 * </ul>
 * The file's codes and zero points are signed; ours are unsigned when asymmetric, so that the stored fields are the same.
 */
final class PackQuantized implements WeightCodec {

    private final QuantArgs args;
    private final Optional<DType> scaleType;

    /** @param scaleType of written scales; empty: F16, or F32 where that loses bits */
    PackQuantized(QuantArgs args, Optional<DType> scaleType) {
        this.args = args;
        this.scaleType = scaleType;
    }

    @Override
    public String whyNot(QuantizedMatrix q) {
        if (!q.scheme().isInteger() || q.scheme().bits() > 8 || q.scheme().bits() < 2) {
            return "pack-quantized holds integers of 2 to 8 bits, not " + q.scheme().format();
        }
        Granularity.Kind kind = q.scheme().granularity().kind();
        if (kind != Granularity.Kind.PER_GROUP && kind != Granularity.Kind.PER_CHANNEL) {
            return "pack-quantized holds scales per group or channel, not " + kind;
        }
        return IntStream.range(0, q.zeros().length).anyMatch(i -> q.zeros()[i] != (int) q.zeros()[i]) ? "its zero points must be integers" : "";
    }

    @Override
    public Map<String, Tensor> encode(QuantizedMatrix q, Arena arena) {
        int bits = q.scheme().bits();
        int groups = q.scales().length / q.rows();
        Map<String, Tensor> out = new LinkedHashMap<>();
        byte[] unsigned = q.zeros().length == 0 ? CodeOffset.toUnsigned(q.codes(), bits) : q.codes();
        int words = DenseBits.words(q.cols(), bits);
        out.put("weight_packed", Tensors.fromInts(new Shape(q.rows(), words), DenseBits.packRows(q.rows(), q.cols(), bits, unsigned), arena));
        out.put("weight_scale", Tensors.fromFloats(scaleType(q), new Shape(q.rows(), groups), q.scales(), arena));
        if (q.zeros().length != 0) {
            int[] z = DenseBits.packColumns(q.rows(), groups, bits, CodeOffset.ofZeros(q.zeros(), 0, bits));
            out.put("weight_zero_point", Tensors.fromInts(new Shape(DenseBits.words(q.rows(), bits), groups), z, arena));
        }
        if (q.columnGroup().length != 0) {
            out.put("weight_g_idx", Tensors.fromInts(new Shape(q.cols()), q.columnGroup(), arena));
        }
        out.put("weight_shape", Tensors.fromLongs(DType.I64, new Shape(2), new long[]{q.rows(), q.cols()}, arena));
        return out;
    }

    private DType scaleType(QuantizedMatrix q) {
        return scaleType.orElseGet(() -> StoredScales.halfOrFloat(q.scales()));
    }

    @Override
    public QuantizedMatrix stored(QuantizedMatrix q) {
        return StoredScales.withScales(q, StoredScales.rounded(q.scales(), scaleType(q)));
    }

    @Override
    public QuantizedMatrix decode(ModuleTensors t) {
        Tensor packed = t.matrix("weight_packed", DType.I32);
        int rows = Math.toIntExact(packed.shape().dim(0));
        int cols = cols(t, packed, rows);
        int bits = args.bits();
        t.shaped("weight_packed", new Shape(rows, DenseBits.words(cols, bits)), DType.I32);
        byte[] codes = DenseBits.unpackRows(rows, cols, bits, Tensors.toInts(packed));
        int scales = Math.toIntExact(Grids.scales(args, rows, cols));
        int groups = scales / rows;
        float[] zeros = new float[0];
        if (args.symmetric()) {
            codes = CodeOffset.toSigned(codes, bits);
        } else {
            Tensor z = t.shaped("weight_zero_point", new Shape(DenseBits.words(rows, bits), groups), DType.I32);
            zeros = CodeOffset.toZeros(DenseBits.unpackColumns(rows, groups, bits, Tensors.toInts(z)), 0, bits);
        }
        return new QuantizedMatrix(args.scheme(), rows, cols, codes, t.floats("weight_scale", scales), zeros, columnGroups(t, cols, groups), 1f);
    }

    /** From {@code weight_shape}; LLMC leaves it out, and then its words are full. */
    private int cols(ModuleTensors t, Tensor packed, int rows) {
        if (!t.has("weight_shape")) {
            return Math.toIntExact(packed.shape().dim(1) * (32 / args.bits()));
        }
        long[] shape = Tensors.toLongs(t.shaped("weight_shape", new Shape(2), DType.I64, DType.I32));
        if (shape[0] != rows || shape[1] <= 0 || shape[1] > Integer.MAX_VALUE) {
            throw t.wrong("weight_shape", "says [%d, %d], but weight_packed has %d rows", shape[0], shape[1], rows);
        }
        return (int) shape[1];
    }

    private static int[] columnGroups(ModuleTensors t, int cols, int groups) {
        if (!t.has("weight_g_idx")) {
            return new int[0];
        }
        int[] g = Tensors.toInts(t.shaped("weight_g_idx", new Shape(cols), DType.I32, DType.I64));
        boolean contiguous = true;
        for (int c = 0; c < cols; c++) {
            if (g[c] < 0 || g[c] >= groups) {
                throw t.wrong("weight_g_idx", "has group %d at column %d; there are %d groups", g[c], c, groups);
            }
            contiguous &= g[c] == c / Math.ceilDiv(cols, groups);
        }
        return contiguous ? new int[0] : g;
    }
}
