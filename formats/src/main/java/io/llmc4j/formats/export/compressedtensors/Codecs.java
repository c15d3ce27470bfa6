package io.llmc4j.formats.export.compressedtensors;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.formats.export.WeightCodec;
import java.util.Optional;

/** Which layout a scheme takes, and the codec of a layout. */
public final class Codecs {

    private Codecs() {
    }

    /**
     * The layout that holds a weight scheme. 8-bit integers are stored plain when inputs are rounded too or ranges are per tensor or block, and
     * packed for weights alone, as servers expect it.
     */
    static Layout layout(QuantScheme weight, boolean inputsRounded) {
        if (weight.isInteger()) {
            Granularity.Kind kind = weight.granularity().kind();
            boolean packable = kind == Granularity.Kind.PER_GROUP || kind == Granularity.Kind.PER_CHANNEL;
            return weight.bits() < 8 || !inputsRounded && packable ? Layout.PACK_QUANTIZED : Layout.INT_QUANTIZED;
        }
        return switch (weight.scaleFormat()) {
            case E4M3_TWO_LEVEL -> Layout.NVFP4;
            case E8M0, E8M0_ROUNDED -> weight.bits() == 4 ? Layout.MXFP4 : Layout.MXFP8;
            case FLOAT -> Layout.FLOAT_QUANTIZED;
        };
    }

    static WeightCodec codec(Layout layout, QuantArgs weights) {
        return codec(layout, weights, Optional.empty());
    }

    private static WeightCodec codec(Layout layout, QuantArgs weights, Optional<DType> scaleType) {
        return switch (layout) {
            case PACK_QUANTIZED -> new PackQuantized(weights, scaleType);
            case INT_QUANTIZED, FLOAT_QUANTIZED, NAIVE_QUANTIZED -> new PlainQuantized(weights);
            case NVFP4, MXFP4, MXFP8 -> new Microscaled(weights);
            case MIXED, DENSE -> throw new IllegalArgumentException(layout + " is no layout of a module");
        };
    }

    /** The codec of a format by its name ("pack-quantized") for weights with these arguments, as a configuration has them. */
    public static WeightCodec named(String format, JsonNode weights, Optional<DType> scaleType) {
        return codec(Layout.named(format, "format"), QuantArgs.parse(weights, "weights"), scaleType);
    }

    /** The codec of plain bytes with one scale a channel: 8-bit integers, or e4m3. */
    public static WeightCodec perChannel(boolean floats) {
        return new PlainQuantized(new QuantArgs(8, floats, true, "channel", 0, 0, 0, "false", false, ""));
    }
}
