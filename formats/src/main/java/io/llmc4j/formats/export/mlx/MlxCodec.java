package io.llmc4j.formats.export.mlx;

import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.packing.DenseBits;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.export.ModuleTensors;
import io.llmc4j.formats.export.StoredScales;
import io.llmc4j.formats.export.UnsignedCodes;
import io.llmc4j.formats.export.WeightCodec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * {@code weight} U32 [out, in * b / 32], a dense little-end stream along the rows; {@code scales} and {@code biases} F16 [out, groups], where
 * bias = -zero * scale. MLX takes any float type for them; in bfloat16, which it uses for bfloat16 models, a bias of 15 steps would be off by
 * a twentieth of a step, so that half precision is written (F32 where a number leaves its normal range).
 */
final class MlxCodec implements WeightCodec {

    static final Set<Integer> WIDTHS = Set.of(2, 3, 4, 5, 6, 8);
    static final Set<Integer> GROUPS = Set.of(32, 64, 128);

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final int bits;
    private final int groupSize;

    MlxCodec(int bits, int groupSize) {
        this.bits = bits;
        this.groupSize = groupSize;
    }

    @Override
    public String whyNot(QuantizedMatrix q) {
        Granularity g = q.scheme().granularity();
        if (!q.scheme().isInteger() || q.scheme().bits() != bits || g.kind() != Granularity.Kind.PER_GROUP || g.size() != groupSize) {
            return "MLX holds integers in groups, not " + q.scheme().format() + " " + g;
        }
        if (q.columnGroup().length != 0) {
            return "MLX has no place for the order of columns (act-order)";
        }
        return q.cols() % groupSize != 0 ? q.cols() + " columns in groups of " + groupSize : "";
    }

    private static QuantizedMatrix unsigned(QuantizedMatrix q) {
        return UnsignedCodes.of(q);
    }

    private static float[] biases(QuantizedMatrix u) {
        float[] b = new float[u.scales().length];
        for (int i = 0; i < b.length; i++) {
            b[i] = -u.zeros()[i] * u.scales()[i];
        }
        return b;
    }

    private static DType type(QuantizedMatrix u, float[] biases) {
        return StoredScales.halfOrFloat(u.scales()) == DType.F16 && StoredScales.halfOrFloat(biases) == DType.F16 ? DType.F16 : DType.F32;
    }

    @Override
    public Map<String, Tensor> encode(QuantizedMatrix q, Arena arena) {
        QuantizedMatrix u = unsigned(q);
        Shape grid = new Shape(q.rows(), q.groups());
        Tensor weight = Tensor.allocate(DType.U32, new Shape(q.rows(), DenseBits.words(q.cols(), bits)), arena);
        int[] words = DenseBits.packRows(q.rows(), q.cols(), bits, u.codes());
        MemorySegment.copy(words, 0, weight.bytes(), INT, 0, words.length);
        float[] biases = biases(u);
        DType type = type(u, biases);
        Map<String, Tensor> t = new LinkedHashMap<>();
        t.put("weight", weight);
        t.put("scales", Tensors.fromFloats(type, grid, u.scales(), arena));
        t.put("biases", Tensors.fromFloats(type, grid, biases, arena));
        return t;
    }

    @Override
    public QuantizedMatrix stored(QuantizedMatrix q) {
        QuantizedMatrix u = unsigned(q);
        float[] biases = biases(u);
        DType type = type(u, biases);
        return of(u.codes(), q.rows(), q.cols(), StoredScales.rounded(u.scales(), type), StoredScales.rounded(biases, type));
    }

    /** A bias is rounded by itself: up to 2^-11 of as many steps as the zero point is high. */
    @Override
    public double slack(QuantizedMatrix q) {
        double s = 0;
        for (float b : biases(unsigned(q))) {
            s = Math.max(s, Math.abs(b));
        }
        double step = 0;
        for (float scale : q.scales()) {
            step = Math.max(step, Math.abs(scale));
        }
        return 0x1.1p-11 * (s + step * (1 << bits));
    }

    private QuantizedMatrix of(byte[] codes, int rows, int cols, float[] scales, float[] biases) {
        float[] zeros = new float[scales.length];
        for (int i = 0; i < zeros.length; i++) {
            zeros[i] = scales[i] == 0f ? 0f : -biases[i] / scales[i];
        }
        QuantScheme scheme = QuantScheme.integer(bits, false, Granularity.perGroup(groupSize)).withRoundZeroPoint(false);
        return new QuantizedMatrix(scheme, rows, cols, codes, scales, zeros, new int[0], 1f);
    }

    @Override
    public QuantizedMatrix decode(ModuleTensors t) {
        Tensor weight = t.matrix("weight", DType.U32);
        int rows = Math.toIntExact(weight.shape().dim(0));
        int cols = Math.toIntExact(weight.shape().dim(1) * 32 / bits);
        if (DenseBits.words(cols, bits) != weight.shape().dim(1) || cols % groupSize != 0) {
            throw t.wrong("weight", "has rows of %d words, which are no whole groups of %d %d-bit codes", weight.shape().dim(1), groupSize, bits);
        }
        Shape grid = new Shape(rows, cols / groupSize);
        float[] scales = Tensors.toFloats(t.shaped("scales", grid, DType.F16, DType.BF16, DType.F32));
        float[] biases = Tensors.toFloats(t.shaped("biases", grid, DType.F16, DType.BF16, DType.F32));
        return of(DenseBits.unpackRows(rows, cols, bits, Tensors.toInts(weight)), rows, cols, scales, biases);
    }
}
