package io.llmc4j.formats.export.gguf.block;

/** One block of 32 of Q4_1 or Q5_1 after another: by its extremes, or by the weighted search when there is importance. */
final class AffineBlock {

    private static final int BLOCK = 32;

    private final float[] x;
    private final int off;
    private final int maxCode;
    private final float[] importance;
    private final float sigma2;
    private final float[] weight = new float[BLOCK];
    private final byte[] codes = new byte[BLOCK];
    private final AffineSearch search;
    private float scale;
    private float minimum;

    AffineBlock(float[] x, int off, int n, int maxCode, float[] importance) {
        this.x = x;
        this.off = off;
        this.maxCode = maxCode;
        this.importance = importance;
        this.sigma2 = importance.length == 0 ? 0f : Bits.sumOfSquares(x, off, n) / n;
        this.search = new AffineSearch(BLOCK, maxCode, -0.9f, 0.05f, 36, false);
    }

    void quantize(int block) {
        int at = off + block * BLOCK;
        if (importance.length == 0) {
            byExtremes(at);
        } else {
            Bits.weigh(x, at, BLOCK, importance, block * BLOCK, sigma2, weight);
            scale = search.search(x, at, weight, codes, 0);
            minimum = -search.offset();
        }
    }

    private void byExtremes(int at) {
        float min = Float.MAX_VALUE;
        float max = -Float.MAX_VALUE;
        for (int j = 0; j < BLOCK; j++) {
            float v = x[at + j];
            min = v < min ? v : min;
            max = v > max ? v : max;
        }
        scale = (max - min) / maxCode;
        minimum = min;
        float inverse = scale != 0f ? 1f / scale : 0f;
        for (int j = 0; j < BLOCK; j++) {
            int code = (byte) Bits.truncate((x[at + j] - min) * inverse + 0.5f);
            codes[j] = (byte) Math.min(maxCode, code);
        }
    }

    float scale() {
        return scale;
    }

    float minimum() {
        return minimum;
    }

    /** The codes of the last block, [32]. */
    byte[] codes() {
        return codes;
    }
}
