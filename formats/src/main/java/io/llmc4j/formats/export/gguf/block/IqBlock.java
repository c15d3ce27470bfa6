package io.llmc4j.formats.export.gguf.block;

/** A super-block of 256 of an IQ2 or IQ3 type: sub-blocks one after another, then their scales in four bits as odd numbers 1 … 31 times d. */
final class IqBlock {

    /** Where a sub-block's result goes, while its search is at hand. */
    interface Store {
        void put(int sub, LatticeSearch search);
    }

    /** How elements are weighted without importance. */
    interface Weighting {
        float weight(float x, float sigma2);
    }

    private final int size;
    private final LatticeSearch search;
    private final float sigmaFactor;
    private final Weighting weighting;
    private final float[] scales;
    private final int[] scaleCodes;

    /** @param sigmaFactor times the mean square is sigma2 of the weights */
    IqBlock(LatticeSearch.Rules rules, float sigmaFactor, Weighting weighting) {
        this.size = rules.size();
        this.search = new LatticeSearch(rules);
        this.sigmaFactor = sigmaFactor;
        this.weighting = weighting;
        this.scales = new float[SuperBlock.SIZE / size];
        this.scaleCodes = new int[scales.length];
    }

    /** Returns d before any fudge factor; 0: the whole super-block has no scale. */
    float quantize(float[] x, int at, float[] importance, int impOff, Store store) {
        float sigma2 = sigmaFactor * Bits.sumOfSquares(x, at, SuperBlock.SIZE) / SuperBlock.SIZE;
        float largest = 0f;
        for (int b = 0; b < scales.length; b++) {
            int from = at + b * size;
            if (importance.length != 0) {
                Bits.weigh(x, from, size, importance, impOff + b * size, sigma2, search.weight());
            } else {
                for (int i = 0; i < size; i++) {
                    search.weight()[i] = weighting.weight(x[from + i], sigma2);
                }
            }
            float scale = search.search(x, from);
            scales[b] = Float.isNaN(scale) ? 0f : scale;
            if (!Float.isNaN(scale)) {
                store.put(b, search);
                largest = Math.max(largest, scale);
            }
        }
        if (largest == 0f) {
            return 0f;
        }
        float d = largest / 31;
        float inverse = 1f / d;
        for (int b = 0; b < scales.length; b++) {
            scaleCodes[b] = Bits.nearest(0.5f * (inverse * scales[b] - 1f), 0, 15);
        }
        return d;
    }

    /** The scale code of a sub-block: its scale is d · (2 · code + 1). */
    int scaleCode(int sub) {
        return scaleCodes[sub];
    }
}
