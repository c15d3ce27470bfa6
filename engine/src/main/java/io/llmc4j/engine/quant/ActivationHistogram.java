package io.llmc4j.engine.quant;

/** Histogram of the values of all samples, merged as ranges grow, and the L2-best threshold in it (spec 1.17.1). */
final class ActivationHistogram extends StaticRange {

    /** Parts that a bin is cut into when it moves to a wider range. */
    private static final int UPSAMPLE = 16;

    private final int bins;
    private final int codes;
    private float[] counts;
    private float lo;
    private float hi;

    ActivationHistogram(int bins, int codes) {
        this.bins = bins;
        this.codes = codes;
    }

    @Override
    void add(float[] x, float min, float max, int index) {
        if (index == 0) {
            counts = histogram(x, min, max);
            lo = min;
            hi = max;
            return;
        }
        float newLo = Math.min(lo, min);
        float newHi = Math.max(hi, max);
        float[] update = histogram(x, newLo, newHi);
        float[] old;
        if (newLo == lo && newHi == hi) {
            old = counts;
        } else if (lo == hi) {
            // LLMC weighs the one old value by the count of the new sample (ODD-16).
            old = histogram(new float[] {lo}, newLo, newHi);
            float total = 0;
            for (float c : update) {
                total += c;
            }
            for (int i = 0; i < bins; i++) {
                old[i] *= total;
            }
        } else {
            old = moved(newLo, newHi);
        }
        for (int i = 0; i < bins; i++) {
            update[i] += old[i];
        }
        counts = update;
        lo = newLo;
        hi = newHi;
    }

    /** Counts of the values between a and b in equal bins; b itself is in the last. */
    private float[] histogram(float[] x, float a, float b) {
        float from = a;
        float to = b;
        if (from == to) {
            from -= 1;
            to += 1;
        }
        float[] h = new float[bins];
        float width = to - from;
        for (float v : x) {
            if (v >= from && v <= to) {
                int i = (int) ((v - from) * bins / width);
                h[Math.min(i, bins - 1)]++;
            }
        }
        return h;
    }

    /** The counts on the wider range: each bin cut into equal parts, each part to the bin that holds its middle. */
    private float[] moved(float newLo, float newHi) {
        int parts = bins * UPSAMPLE;
        Edges old = new Edges(lo, hi, parts);
        Edges edges = new Edges(newLo, newHi, bins);
        float half = (float) (0.5 * (double) ((hi - lo) / parts));
        float[] h = new float[bins];
        int bin = 0;
        for (int i = 0; i < parts; i++) {
            float middle = old.at(i) + half;
            while (bin < bins - 1 && edges.at(bin + 1) <= middle) {
                bin++;
            }
            h[bin] += counts[i / UPSAMPLE] / UPSAMPLE;
        }
        return h;
    }

    /** n + 1 equally spaced float32 numbers, counted from the nearer end. */
    private record Edges(float from, float to, int n) {
        float at(int i) {
            float step = (to - from) / n;
            return i < (n + 1) / 2 ? from + step * i : to - step * (n - i);
        }
    }

    @Override
    Ends ends() {
        return new ThresholdSearch(counts, lo, hi, codes).search();
    }
}
