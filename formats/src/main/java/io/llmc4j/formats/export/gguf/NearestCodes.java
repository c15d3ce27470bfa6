package io.llmc4j.formats.export.gguf;

import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Matrix;

/** Whether codes are nothing but the nearest ones. */
final class NearestCodes {

    /** Half a step, and what float32 arithmetic may add. */
    private static final float HALF = 0.5001f;

    private NearestCodes() {
    }

    /** Every integer code is the nearest to its weight, or the end of the grid that lies nearest. */
    static boolean are(QuantizedMatrix q, Matrix w) {
        if (!(q.scheme().format() instanceof NumberFormat.Int f) || w.rows() != q.rows() || w.cols() != q.cols() || q.tensorScale() != 1f) {
            return false;
        }
        for (int r = 0; r < q.rows(); r++) {
            for (int c = 0; c < q.cols(); c++) {
                int range = q.rangeOf(r, c);
                float scale = q.scales()[range];
                float zero = q.zeros().length == 0 ? 0f : q.zeros()[range];
                float level = scale == 0 ? 0 : w.get(r, c) / scale + zero;
                int code = q.code(r, c);
                boolean below = code == f.qmin() && level < code;
                boolean above = code == f.qmax() && level > code;
                if (!below && !above && !(Math.abs(level - code) <= HALF)) {
                    return false;
                }
            }
        }
        return true;
    }
}
