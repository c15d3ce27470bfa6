package io.llmc4j.formats.hf;

import io.llmc4j.engine.kernel.Activation;

/** The names that config.json files give to activation functions. */
public final class Activations {

    private Activations() {
    }

    /** Throws BadInput (MODEL) naming the field when the function is not known. */
    public static Activation read(HfConfig c, String absent, String... fields) {
        String name = c.text(fields).orElse(absent);
        return switch (name) {
            case "silu", "swish" -> Activation.SILU;
            case "relu" -> Activation.RELU;
            case "relu2" -> Activation.RELU_SQUARED;
            case "gelu" -> Activation.GELU_ERF;
            case "gelu_new", "gelu_pytorch_tanh", "gelu_fast" -> Activation.GELU_TANH;
            case "quick_gelu" -> Activation.GELU_QUICK;
            default -> throw c.wrong(fields[0], name, "silu, swish, relu, relu2, gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, quick_gelu");
        };
    }
}
