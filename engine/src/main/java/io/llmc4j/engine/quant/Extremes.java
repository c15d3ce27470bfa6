package io.llmc4j.engine.quant;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.StoredFloats;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;

/** Lower and upper end of each range, in the order of {@link RangeLayout}. */
record Extremes(float[] lo, float[] hi) {

    /** Smallest and largest element of each range; per block of the absolute values (spec 1.2, 1.6). NaN where a range holds one. */
    static Extremes minMax(Matrix x, RangeLayout layout) {
        float[] lo = new float[layout.segments()];
        float[] hi = new float[layout.segments()];
        Kernels kernels = Kernels.get();
        float[] data = x.data();
        boolean absolute = !layout.contiguous();
        if (!absolute && layout.segments() > 0 && layout.length(0) > 0) {
            int length = layout.length(0);
            StoredFloats pairs = StoredFloats.get();
            Parallel.forRange(layout.segments(), layout.grain(),
                    (from, to) -> pairs.groupExtremes((to - from) * length, length, data, layout.start(from), lo, hi, from));
            return layout.ranges() == layout.segments() ? new Extremes(lo, hi) : joined(lo, hi, layout);
        }
        Parallel.forRange(layout.segments(), layout.grain(), (from, to) -> {
            for (int s = from; s < to; s++) {
                int start = layout.start(s);
                int n = layout.length(s);
                lo[s] = absolute ? absMin(n, data, start) : kernels.min(n, data, start);
                hi[s] = absolute ? kernels.absMax(n, data, start) : kernels.max(n, data, start);
            }
        });
        return layout.ranges() == layout.segments() ? new Extremes(lo, hi) : joined(lo, hi, layout);
    }

    /** Ranges of several segments: per tensor, per block. Joining extremes is exact, whatever the order. */
    private static Extremes joined(float[] lo, float[] hi, RangeLayout layout) {
        float[] a = new float[layout.ranges()];
        float[] b = new float[layout.ranges()];
        Arrays.fill(a, Float.POSITIVE_INFINITY);
        Arrays.fill(b, Float.NEGATIVE_INFINITY);
        for (int s = 0; s < lo.length; s++) {
            int r = layout.range(s);
            a[r] = Math.min(a[r], lo[s]);
            b[r] = Math.max(b[r], hi[s]);
        }
        return new Extremes(a, b);
    }

    private static float absMin(int n, float[] a, int off) {
        float m = Float.POSITIVE_INFINITY;
        for (int i = off; i < off + n; i++) {
            m = Math.min(m, Math.abs(a[i]));
        }
        return m;
    }
}
