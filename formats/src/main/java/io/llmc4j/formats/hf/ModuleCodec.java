package io.llmc4j.formats.hf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/** Splits a module's rows into its layers and joins them again, exactly: weights, biases, and codes with their scales and zero points. */
public final class ModuleCodec {

    private ModuleCodec() {
    }

    /** @param module [out, in]; @return [part's rows, in] */
    public static Matrix split(ModuleLayout layout, ModuleLayout.Part part, Matrix module) {
        if (!layout.fused()) {
            return module;
        }
        Matrix out = new Matrix(part.rows().rows(), module.cols());
        copyRows(part.rows(), module.cols(), module.data(), out.data(), true);
        return out;
    }

    /** @param layers float weight of each layer by name; @return [out, in] */
    public static Matrix join(ModuleLayout layout, Function<String, Matrix> layers) {
        if (!layout.fused()) {
            return layers.apply(layout.parts().getFirst().linear());
        }
        Matrix out = new Matrix(layout.out(), layout.in());
        for (ModuleLayout.Part p : layout.parts()) {
            copyRows(p.rows(), layout.in(), out.data(), layers.apply(p.linear()).data(), false);
        }
        return out;
    }

    /** A value a row: a bias. Of length 0: there is none. */
    public static float[] split(ModuleLayout layout, ModuleLayout.Part part, float[] module) {
        if (module.length == 0 || !layout.fused()) {
            return module;
        }
        float[] out = new float[part.rows().rows()];
        copyRows(part.rows(), 1, module, out, true);
        return out;
    }

    /** Length 0 when no layer has one; a layer without one adds zeros when another has one. */
    public static float[] joinBias(ModuleLayout layout, Function<String, float[]> layers) {
        if (layout.parts().stream().allMatch(p -> layers.apply(p.linear()).length == 0)) {
            return new float[0];
        }
        float[] out = new float[layout.out()];
        for (ModuleLayout.Part p : layout.parts()) {
            float[] b = layers.apply(p.linear());
            if (b.length > 0) {
                copyRows(p.rows(), 1, out, b, false);
            }
        }
        return out;
    }

    /** Codes of one layer of a module. Throws BadInput (FORMAT) when a block of scales spans several layers. */
    public static QuantizedMatrix split(ModuleLayout layout, ModuleLayout.Part part, QuantizedMatrix module) {
        if (!layout.fused()) {
            return module;
        }
        RowMap rows = part.rows();
        byte[] codes = new byte[rows.rows() * module.cols()];
        copyRows(rows, module.cols(), module.codes(), codes, true);
        int unit = unit(layout, module);
        RowMap scaleRows = scaled(layout, rows, unit);
        int per = perUnit(module, unit);
        float[] scales = unit == 0 ? module.scales() : new float[scaleRows.rows() * per];
        float[] zeros = module.zeros().length == 0 || unit == 0 ? module.zeros() : new float[scales.length];
        if (unit > 0) {
            copyRows(scaleRows, per, module.scales(), scales, true);
            if (zeros.length > 0) {
                copyRows(scaleRows, per, module.zeros(), zeros, true);
            }
        }
        return new QuantizedMatrix(module.scheme(), rows.rows(), module.cols(), codes, scales, zeros, module.columnGroup(), module.tensorScale());
    }

    /**
     * The module's codes from its layers'. Throws BadInput (FORMAT) when they cannot share one tensor: other schemes, other column orders,
     * other per-tensor scales, or blocks of scales that would span layers.
     */
    public static QuantizedMatrix join(ModuleLayout layout, List<QuantizedMatrix> layers) {
        if (!layout.fused()) {
            return layers.getFirst();
        }
        QuantizedMatrix first = layers.getFirst();
        int unit = unit(layout, first);
        for (QuantizedMatrix q : layers) {
            if (!q.scheme().equals(first.scheme()) || q.tensorScale() != first.tensorScale() || !Arrays.equals(q.columnGroup(), first.columnGroup())
                    || q.zeros().length == 0 != (first.zeros().length == 0)
                    || unit == 0 && !(Arrays.equals(q.scales(), first.scales()) && Arrays.equals(q.zeros(), first.zeros()))) {
                throw BadInput.of(BadInput.Common.FORMAT, "%s is stored as one tensor, but its parts %s were quantized with different schemes, column orders "
                        + "or per-tensor scales; use per_channel or per_group scales without act-order, or leave it float", layout.name(),
                        layout.parts().stream().map(ModuleLayout.Part::linear).toList());
            }
        }
        int per = perUnit(first, unit);
        byte[] codes = new byte[layout.out() * layout.in()];
        float[] scales = unit == 0 ? first.scales() : new float[layout.out() / unit * per];
        float[] zeros = unit == 0 || first.zeros().length == 0 ? first.zeros() : new float[scales.length];
        for (int i = 0; i < layers.size(); i++) {
            RowMap rows = layout.parts().get(i).rows();
            copyRows(rows, layout.in(), codes, layers.get(i).codes(), false);
            if (unit > 0) {
                RowMap scaleRows = scaled(layout, rows, unit);
                copyRows(scaleRows, per, scales, layers.get(i).scales(), false);
                if (zeros.length > 0) {
                    copyRows(scaleRows, per, zeros, layers.get(i).zeros(), false);
                }
            }
        }
        return new QuantizedMatrix(first.scheme(), layout.out(), layout.in(), codes, scales, zeros, first.columnGroup(), first.tensorScale());
    }

    /** Rows that share a row of scales: 0 when all rows do. */
    private static int unit(ModuleLayout layout, QuantizedMatrix q) {
        Granularity g = q.scheme().granularity();
        return switch (g.kind()) {
            case PER_TENSOR -> 0;
            case PER_CHANNEL, PER_TOKEN, PER_GROUP -> 1;
            case PER_BLOCK -> g.size();
            case PER_HEAD -> throw BadInput.of(BadInput.Common.FORMAT, "%s: codes per head cannot be split between the layers of a fused module", layout.name());
        };
    }

    /** Scales of one row of scales. */
    private static int perUnit(QuantizedMatrix q, int unit) {
        return unit == 0 ? q.scales().length : q.scales().length / ((q.rows() + unit - 1) / unit);
    }

    /** The same map in rows of scales. */
    private static RowMap scaled(ModuleLayout layout, RowMap rows, int unit) {
        if (unit <= 1) {
            return rows;
        }
        if (rows.first() % unit != 0 || rows.chunk() % unit != 0 || rows.stride() % unit != 0) {
            throw BadInput.of(BadInput.Common.FORMAT, "%s: blocks of %d rows share a scale, and the layers of this fused module do not start on such blocks",
                    layout.name(), unit);
        }
        return new RowMap(rows.first() / unit, rows.rows() / unit, rows.chunk() / unit, rows.stride() / unit);
    }

    private static void copyRows(RowMap rows, int width, Object module, Object part, boolean fromModule) {
        for (int s = 0; s < rows.stretches(); s++) {
            int atModule = rows.start(s) * width;
            int atPart = s * rows.chunk() * width;
            int n = rows.chunk() * width;
            if (fromModule) {
                System.arraycopy(module, atModule, part, atPart, n);
            } else {
                System.arraycopy(part, atPart, module, atModule, n);
            }
        }
    }
}
