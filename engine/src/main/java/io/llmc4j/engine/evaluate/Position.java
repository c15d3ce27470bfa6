package io.llmc4j.engine.evaluate;

/** A version of the model that can be evaluated ({@code eval_pos}). */
public enum Position {
    /** As it came. */
    PRETRAIN("pretrain"),
    /** Float, after transforms, clipping and compensation. */
    TRANSFORMED("transformed"),
    /** Quantized and dequantized. */
    FAKE_QUANT("fake_quant"),
    /** As FAKE_QUANT, with the KV cache in float. */
    FAKE_QUANT_WITHOUT_KV("fake_quant_wo_kv");

    private final String label;

    Position(String label) {
        this.label = label;
    }

    /** LLMC's word. */
    public String label() {
        return label;
    }
}
