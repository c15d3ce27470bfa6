package io.llmc4j.formats.export.compressedtensors;

import io.llmc4j.engine.BadInput;
import java.util.Arrays;

/** The {@code format} of a configuration or of one of its groups. */
public enum Layout {
    PACK_QUANTIZED("pack-quantized"), INT_QUANTIZED("int-quantized"), FLOAT_QUANTIZED("float-quantized"), NAIVE_QUANTIZED("naive-quantized"),
    NVFP4("nvfp4-pack-quantized"), MXFP4("mxfp4-pack-quantized"), MXFP8("mxfp8-quantized"), MIXED("mixed-precision"), DENSE("dense");

    private final String label;

    Layout(String label) {
        this.label = label;
    }

    public String label() {
        return label;
    }

    static Layout named(String label, String where) {
        return Arrays.stream(values()).filter(l -> l.label.equals(label)).findFirst().orElseThrow(() -> BadInput.of(BadInput.Common.NOT_SUPPORTED,
                "%s: compressed-tensors format '%s' is not read; %s are", where, label, Arrays.stream(values()).map(Layout::label).toList()));
    }
}
