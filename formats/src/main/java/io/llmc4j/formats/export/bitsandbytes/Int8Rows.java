package io.llmc4j.formats.export.bitsandbytes;

import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.export.ModuleTensors;
import io.llmc4j.formats.export.StoredScales;
import io.llmc4j.formats.export.WeightCodec;
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * LLM.int8 (Dettmers et al., arXiv 2208.07339): {@code weight} I8 [out, in], {@code SCB} F32 [out], the largest magnitude of a row, so that a value is
 * code * SCB / 127, and {@code weight_format} U8 0 (row-major).
 */
final class Int8Rows implements WeightCodec {

    static final List<String> PARTS = List.of("weight", "SCB", "weight_format");

    @Override
    public String whyNot(QuantizedMatrix q) {
        if (!q.scheme().isInteger() || q.scheme().bits() != 8 || q.zeros().length != 0 || q.scheme().granularity().kind() != Granularity.Kind.PER_CHANNEL) {
            return "LLM.int8 holds symmetric 8-bit integers per channel, not " + q.scheme().format() + " " + q.scheme().granularity().kind();
        }
        return q.columnGroup().length != 0 ? "LLM.int8 has no place for the order of columns" : "";
    }

    private static float[] absmax(QuantizedMatrix q) {
        float[] a = new float[q.rows()];
        for (int i = 0; i < a.length; i++) {
            a[i] = q.scales()[i] * 127f;
        }
        return a;
    }

    private static float[] scales(float[] absmax) {
        float[] s = new float[absmax.length];
        for (int i = 0; i < s.length; i++) {
            s[i] = absmax[i] / 127f;
        }
        return s;
    }

    @Override
    public QuantizedMatrix stored(QuantizedMatrix q) {
        return StoredScales.withScales(q, scales(absmax(q)));
    }

    @Override
    public Map<String, Tensor> encode(QuantizedMatrix q, Arena arena) {
        Map<String, Tensor> t = new LinkedHashMap<>();
        t.put("weight", Tensors.fromBytes(DType.I8, new Shape(q.rows(), q.cols()), q.codes(), arena));
        t.put("SCB", Tensors.fromFloats(DType.F32, new Shape(q.rows()), absmax(q), arena));
        t.put("weight_format", Tensors.fromBytes(DType.U8, new Shape(), new byte[1], arena));
        return t;
    }

    @Override
    public QuantizedMatrix decode(ModuleTensors t) {
        Tensor w = t.matrix("weight", DType.I8);
        if (t.has("weight_format") && Tensors.getLong(t.get("weight_format", DType.U8), 0) != 0) {
            throw t.wrong("weight_format", "says a layout of GPU tiles; only rows are read");
        }
        int rows = Math.toIntExact(w.shape().dim(0));
        QuantScheme scheme = QuantScheme.integer(8, true, Granularity.PER_CHANNEL);
        return new QuantizedMatrix(scheme, rows, Math.toIntExact(w.shape().dim(1)), Tensors.toBytes(w), scales(t.floats("SCB", rows)), new float[0], new int[0], 1f);
    }
}
