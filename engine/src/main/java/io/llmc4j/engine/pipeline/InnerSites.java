package io.llmc4j.engine.pipeline;

/**
 * Where activations are rounded besides the inputs of linear layers, by the scheme of the plan's activations.
 *
 * @param attention queries, keys, values and probabilities ({@code quant_attn})
 * @param softmax   what the softmax is given ({@code quant_softmax})
 * @param function  what the activation function is given ({@code quant_act_fn})
 */
public record InnerSites(boolean attention, boolean softmax, boolean function) {

    public static final InnerSites NONE = new InnerSites(false, false, false);

    public boolean any() {
        return attention || softmax || function;
    }
}
