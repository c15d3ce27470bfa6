package io.llmc4j.formats.export.fp8;

import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.ScaleFormat;
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
 * {@code weight} F8_E4M3 [out, in] with {@code weight_scale} F32 [1], or per block {@code weight_scale_inv} F32 [ceil(out / edge), ceil(in / edge)],
 * which is a multiplier in spite of its name.
 */
public final class Fp8Codec implements WeightCodec {

    /** One scale a tensor. */
    public static final Fp8Codec PER_TENSOR = new Fp8Codec(Granularity.PER_TENSOR);

    private final Granularity granularity;

    /** One scale a block. */
    public Fp8Codec(int blockRows, int blockCols) {
        this(Granularity.perBlock(blockRows, blockCols));
    }

    private Fp8Codec(Granularity granularity) {
        this.granularity = granularity;
    }

    private boolean perTensor() {
        return granularity.kind() == Granularity.Kind.PER_TENSOR;
    }

    @Override
    public String whyNot(QuantizedMatrix q) {
        if (!(q.scheme().format() instanceof NumberFormat.Float f) || !f.label().equals("e4m3") || q.scheme().scaleFormat() != ScaleFormat.FLOAT) {
            return "the fp8 method holds e4m3 with float scales, not " + q.scheme().format();
        }
        return q.scheme().granularity().equals(granularity) ? "" : "the fp8 method holds scales per tensor or block, not " + q.scheme().granularity();
    }

    @Override
    public QuantizedMatrix stored(QuantizedMatrix q) {
        return q;
    }

    @Override
    public Map<String, Tensor> encode(QuantizedMatrix q, Arena arena) {
        Map<String, Tensor> t = new LinkedHashMap<>();
        t.put("weight", Tensors.fromBytes(DType.F8_E4M3, new Shape(q.rows(), q.cols()), q.codes(), arena));
        if (perTensor()) {
            t.put("weight_scale", Tensors.fromFloats(DType.F32, new Shape(1), q.scales(), arena));
        } else {
            t.put("weight_scale_inv", Tensors.fromFloats(DType.F32, grid(q.rows(), q.cols()), q.scales(), arena));
        }
        return t;
    }

    private Shape grid(int rows, int cols) {
        return new Shape(Math.ceilDiv(rows, granularity.size()), Math.ceilDiv(cols, granularity.width()));
    }

    @Override
    public QuantizedMatrix decode(ModuleTensors t) {
        Tensor w = t.matrix("weight", DType.F8_E4M3);
        int rows = Math.toIntExact(w.shape().dim(0));
        int cols = Math.toIntExact(w.shape().dim(1));
        float[] scales = perTensor() ? t.floats("weight_scale", 1)
                : Tensors.toFloats(t.shaped("weight_scale_inv", grid(rows, cols), DType.F32, DType.BF16, DType.F16));
        QuantScheme scheme = QuantScheme.floating("e4m3", NumberFormat.Float.Path.NEAREST_EVEN, granularity);
        return new QuantizedMatrix(scheme, rows, cols, Tensors.toBytes(w), scales, new float[0], new int[0], 1f);
    }
}
