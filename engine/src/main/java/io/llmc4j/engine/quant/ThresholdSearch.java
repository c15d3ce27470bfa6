package io.llmc4j.engine.quant;

/**
 * Cuts the tails of a histogram as long as the L2 error of quantizing what is left falls (spec 1.17.2). The quantiles move by 1e-8 a step
 * (ODD-17); the scan for a bin goes on from where the last one stopped, which finds the same bin.
 */
final class ThresholdSearch {

    private static final double STEP = 1e-8;

    private final float[] counts;
    private final float lo;
    private final float binWidth;
    private final int codes;

    ThresholdSearch(float[] counts, float lo, float hi, int codes) {
        this.counts = counts;
        this.lo = lo;
        this.binWidth = (hi - lo) / counts.length;
        this.codes = codes;
    }

    StaticRange.Ends search() {
        int last = counts.length - 1;
        float[] cumulative = new float[counts.length];
        double running = 0;
        for (int i = 0; i <= last; i++) {
            running += counts[i];
            cumulative[i] = (float) running;
        }
        double total = (float) running;
        double alpha = 0;
        double beta = 1;
        int start = 0;
        int end = last;
        // Where the scans stand: the targets only move inwards, so a scan never has to go back (but for a new start or end).
        int left = 0;
        int right = last;
        double best = Double.POSITIVE_INFINITY;
        long steps = 0;
        while (alpha < beta) {
            steps++;
            double nextAlpha = alpha + STEP;
            double nextBeta = beta - STEP;
            // LLMC compares in float32.
            float low = (float) (nextAlpha * total);
            float high = (float) (nextBeta * total);
            while (left < end && cumulative[left] < low) {
                left++;
            }
            while (right > start && cumulative[right] > high) {
                right--;
            }
            int l = Math.min(left, end);
            int r = Math.max(right, start);
            int nextStart = start;
            int nextEnd = end;
            if (l - start > end - r) {
                nextStart = l;
                alpha = nextAlpha;
            } else {
                nextEnd = r;
                beta = nextBeta;
            }
            if (nextStart == start && nextEnd == end) {
                continue;
            }
            double error = error(nextStart, nextEnd);
            if (error > best) {
                break;
            }
            best = error;
            start = nextStart;
            end = nextEnd;
        }
        return new StaticRange.Ends(lo + binWidth * start, lo + binWidth * (end + 1), steps);
    }

    /** Sum over all bins of the L2 error when bins first to last are cut into the codes, values uniform inside a bin. */
    private double error(int first, int last) {
        double bin = binWidth;
        double width = bin * (last - first + 1) / codes;
        if (width == 0) {
            return 0;
        }
        float sum = 0;
        for (int i = 0; i < counts.length; i++) {
            double from = (i - first) * bin;
            double to = from + bin;
            double codeFrom = Math.min(Math.max(Math.floor(from / width), 0), codes - 1);
            double codeTo = Math.min(Math.max(Math.floor(to / width), 0), codes - 1);
            double density = counts[i] / bin;
            double e = cube(from - (codeFrom + 0.5) * width, width / 2, density)
                    + (codeTo - codeFrom - 1) * cube(-width / 2, width / 2, density)
                    + cube(-width / 2, to - (codeTo * width + width / 2), density);
            sum += (float) e;
        }
        return sum;
    }

    private static double cube(double from, double to, double density) {
        return density * (to * to * to - from * from * from) / 3;
    }
}
