package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.ScaleFormat;

/** Average bits of a weight as it is stored: codes, and 16 bits for each scale (8 in NVFP4 and microscaling), and zero points as wide as a code (16 bits when real-valued). */
final class StoredBits {

    private static final int SCALE_BITS = 16;

    private StoredBits() {
    }

    /** Throws BadInput when the scheme does not fit the shape. */
    static double of(QuantScheme scheme, int rows, int cols) {
        int ranges = scheme.format() instanceof NumberFormat.Int4OverInt8 ? 0 : Quantizer.of(scheme).layout(rows, cols).ranges();
        return ofRanges(scheme, ranges, (long) rows * cols);
    }

    /** Another name than {@link #of}: two ints would be taken for rows and columns. */
    static double ofRanges(QuantScheme scheme, int ranges, long weights) {
        int range = (scheme.scaleFormat() == ScaleFormat.FLOAT ? SCALE_BITS : 8) + (scheme.symmetric() ? 0 : scheme.roundZeroPoint() ? scheme.bits() : SCALE_BITS);
        return scheme.bits() + (double) ranges * range / weights;
    }
}
