package io.llmc4j.formats.export;

import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Conversions;
import io.llmc4j.engine.tensor.DType;

/** Scales as a narrower type holds them. */
public final class StoredScales {

    private static final float SMALLEST_NORMAL_F16 = 0x1p-14f;
    private static final float LARGEST_F16 = 65504f;

    private StoredScales() {
    }

    /** F16 where every scale is zero or in its normal range, so that each keeps 11 bits; else F32. */
    public static DType halfOrFloat(float[] scales) {
        for (float s : scales) {
            float a = Math.abs(s);
            if (a != 0f && !(a >= SMALLEST_NORMAL_F16 && a <= LARGEST_F16)) {
                return DType.F32;
            }
        }
        return DType.F16;
    }

    /** Each rounded to the nearest of the type. */
    public static float[] rounded(float[] values, DType type) {
        float[] out = new float[values.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = switch (type) {
                case F32 -> values[i];
                case F16 -> Conversions.f16ToFloat(Conversions.floatToF16(values[i]));
                case BF16 -> Conversions.bf16ToFloat(Conversions.floatToBf16(values[i]));
                default -> throw new IllegalArgumentException("scales as " + type);
            };
        }
        return out;
    }

    public static QuantizedMatrix withScales(QuantizedMatrix q, float[] scales) {
        return new QuantizedMatrix(q.scheme(), q.rows(), q.cols(), q.codes(), scales, q.zeros(), q.columnGroup(), q.tensorScale());
    }

    public static QuantizedMatrix withScheme(QuantizedMatrix q, QuantScheme scheme) {
        return new QuantizedMatrix(scheme, q.rows(), q.cols(), q.codes(), q.scales(), q.zeros(), q.columnGroup(), q.tensorScale());
    }

    /** Rows and columns exchanged: [rows * cols] to [cols * rows]. */
    public static float[] transpose(float[] v, int rows, int cols) {
        float[] t = new float[v.length];
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < cols; c++) {
                t[c * rows + r] = v[r * cols + c];
            }
        }
        return t;
    }

    /** Rows and columns exchanged: [rows * cols] to [cols * rows]. */
    public static byte[] transpose(byte[] v, int rows, int cols) {
        byte[] t = new byte[v.length];
        int tile = 64;
        for (int r0 = 0; r0 < rows; r0 += tile) {
            for (int c0 = 0; c0 < cols; c0 += tile) {
                for (int r = r0; r < Math.min(rows, r0 + tile); r++) {
                    for (int c = c0; c < Math.min(cols, c0 + tile); c++) {
                        t[c * rows + r] = v[r * cols + c];
                    }
                }
            }
        }
        return t;
    }
}
