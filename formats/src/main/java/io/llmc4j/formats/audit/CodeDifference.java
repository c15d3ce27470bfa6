package io.llmc4j.formats.audit;

import java.util.List;

/**
 * Codes of two quantized models, layer by layer.
 *
 * @param left  what the first is, for messages
 * @param layers in module order
 */
public record CodeDifference(String left, String right, List<Layer> layers) {

    public CodeDifference {
        layers = List.copyOf(layers);
    }

    /**
     * One layer.
     *
     * @param codes      number of codes
     * @param different  codes that differ; all of them when the schemes do
     * @param largestStep largest difference of two codes
     * @param scaleError largest relative difference of two scales
     * @param zeros      zero points that differ
     * @param note       why they cannot be compared code by code; "" when they can
     */
    public record Layer(int block, String name, String leftScheme, String rightScheme, long codes, long different, int largestStep, double scaleError, long zeros,
                        String note) {

        public boolean same() {
            return different == 0 && note.isEmpty() && zeros == 0;
        }

        public double share() {
            return codes == 0 ? 0 : (double) different / codes;
        }
    }

    public boolean same() {
        return layers.stream().allMatch(Layer::same);
    }

    /** Share of codes that differ, over all layers. */
    public double share() {
        long codes = layers.stream().mapToLong(Layer::codes).sum();
        return codes == 0 ? 0 : (double) layers.stream().mapToLong(Layer::different).sum() / codes;
    }

    /** One line. */
    public String verdict() {
        long off = layers.stream().filter(l -> !l.same()).count();
        double scale = layers.stream().mapToDouble(Layer::scaleError).max().orElse(0);
        if (off == 0) {
            return scale == 0 ? "SAME: every code, scale and zero point of " + layers.size() + " layers"
                    : String.format(java.util.Locale.ROOT, "SAME CODES in all %d layers; scales differ by at most %.2e of their value", layers.size(), scale);
        }
        Layer first = layers.stream().filter(l -> !l.same()).findFirst().orElseThrow();
        return String.format(java.util.Locale.ROOT, "DIFFERENT: %.4f %% of the codes, in %d of %d layers, first in %s%s", 100 * share(), off, layers.size(), first.name(),
                first.note().isEmpty() ? "" : " (" + first.note() + ")");
    }
}
