package io.llmc4j.formats.export.gguf.block;

/**
 * What Q2_K, Q4_K and Q5_K have in common: a super-block of 256 in sub-blocks, each with a scale and an offset, which are themselves
 * quantized by the super-block's two half-precision numbers; then the codes are rounded once more on the grid that results.
 */
final class SuperBlock {

    static final int SIZE = 256;

    private final int sub;
    private final int maxCode;
    private final int maxScale;
    private final AffineSearch search;
    private final float[] weight;
    private final float[] scales;
    private final float[] offsets;
    private final float[] subWeights;
    private final byte[] scaleCodes;
    private final byte[] offsetCodes;
    private final byte[] codes = new byte[SIZE];
    private float d;
    private float dmin;

    /**
     * @param sub      elements of a sub-block
     * @param maxCode  largest code
     * @param maxScale largest code of a scale or an offset
     * @param search   the search of a sub-block
     */
    SuperBlock(int sub, int maxCode, int maxScale, AffineSearch search) {
        this.sub = sub;
        this.maxCode = maxCode;
        this.maxScale = maxScale;
        this.search = search;
        this.weight = new float[sub];
        int count = SIZE / sub;
        this.scales = new float[count];
        this.offsets = new float[count];
        this.subWeights = new float[count];
        this.scaleCodes = new byte[count];
        this.offsetCodes = new byte[count];
    }

    /** How elements of a sub-block are weighted without importance. */
    interface Weighting {
        void weights(float[] x, int at, int n, float[] out);
    }

    /** Without importance: scales by the largest sub-block. */
    void quantize(float[] x, int at, Weighting weighting) {
        float largestScale = 0f;
        float largestOffset = 0f;
        for (int j = 0; j < scales.length; j++) {
            weighting.weights(x, at + sub * j, sub, weight);
            scales[j] = search.search(x, at + sub * j, weight, codes, sub * j);
            offsets[j] = search.offset();
            largestScale = scales[j] > largestScale ? scales[j] : largestScale;
            largestOffset = offsets[j] > largestOffset ? offsets[j] : largestOffset;
        }
        float inverseScale = largestScale > 0f ? maxScale / largestScale : 0f;
        float inverseOffset = largestOffset > 0f ? maxScale / largestOffset : 0f;
        for (int j = 0; j < scales.length; j++) {
            scaleCodes[j] = (byte) Math.min(maxScale, Bits.nearest(inverseScale * scales[j]) & 0xff);
            offsetCodes[j] = (byte) Math.min(maxScale, Bits.nearest(inverseOffset * offsets[j]) & 0xff);
        }
        d = largestScale / maxScale;
        dmin = largestOffset / maxScale;
        roundAgain(x, at);
    }

    /** With importance: scales and offsets by their own weighted search. {@code sigma2} enters the weights. */
    void quantize(float[] x, int at, float[] importance, int impOff, float sigma2) {
        for (int j = 0; j < scales.length; j++) {
            Bits.weigh(x, at + sub * j, sub, importance, impOff + sub * j, sigma2, weight);
            subWeights[j] = Bits.sum(weight, sub);
            scales[j] = search.search(x, at + sub * j, weight, codes, sub * j);
            offsets[j] = search.offset();
        }
        d = PositiveSearch.search(scales.length, maxScale, scales, scaleCodes, subWeights);
        dmin = PositiveSearch.search(offsets.length, maxScale, offsets, offsetCodes, subWeights);
        roundAgain(x, at);
    }

    private void roundAgain(float[] x, int at) {
        d = Float.float16ToFloat(Float.floatToFloat16(d));
        dmin = Float.float16ToFloat(Float.floatToFloat16(dmin));
        for (int j = 0; j < scales.length; j++) {
            float step = d * scaleCodes[j];
            if (step == 0f) {
                continue;
            }
            float offset = dmin * offsetCodes[j];
            for (int i = sub * j; i < sub * (j + 1); i++) {
                codes[i] = (byte) Bits.nearest((x[at + i] + offset) / step, 0, maxCode);
            }
        }
    }

    /** The last super-block's scale, as stored. */
    float d() {
        return d;
    }

    /** The last super-block's scale of offsets, as stored. */
    float dmin() {
        return dmin;
    }

    byte[] scaleCodes() {
        return scaleCodes;
    }

    byte[] offsetCodes() {
        return offsetCodes;
    }

    byte[] codes() {
        return codes;
    }
}
