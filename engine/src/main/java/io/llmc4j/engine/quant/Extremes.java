package io.llmc4j.engine.quant;

import io.llmc4j.engine.tensor.Matrix;

/** Lower and upper end of each range, in the order of {@link RangeLayout}. */
record Extremes(float[] lo, float[] hi) {

    /** Smallest and largest element of each range; per block of the absolute values (spec 1.2, 1.6). NaN where a range holds one. */
    static Extremes minMax(Matrix x, RangeLayout layout) {
        float[] lo = new float[layout.ranges()];
        float[] hi = new float[layout.ranges()];
        java.util.Arrays.fill(lo, Float.POSITIVE_INFINITY);
        java.util.Arrays.fill(hi, Float.NEGATIVE_INFINITY);
        float[] data = x.data();
        boolean absolute = !layout.contiguous();
        for (int s = 0; s < layout.segments(); s++) {
            int from = layout.start(s);
            int n = layout.length(s);
            int r = layout.range(s);
            float a = lo[r];
            float b = hi[r];
            if (absolute) {
                for (int i = from; i < from + n; i++) {
                    float v = Math.abs(data[i]);
                    a = Math.min(a, v);
                    b = Math.max(b, v);
                }
            } else {
                for (int i = from; i < from + n; i++) {
                    a = Math.min(a, data[i]);
                    b = Math.max(b, data[i]);
                }
            }
            lo[r] = a;
            hi[r] = b;
        }
        return new Extremes(lo, hi);
    }
}
