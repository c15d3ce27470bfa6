package io.llmc4j.engine.method;

/** What a forward pass can gather for a stage. */
public enum Need {
    /** Outputs of the float block before the first stage, kept. */
    FLOAT_OUTPUTS,
    /** The inputs of linear layers, kept. The most memory: tokens x features of every distinct input. */
    INPUTS,
    /** (2 / samples) XᵀX of the inputs of linear layers, streamed: features² a distinct input, inputs are not kept. */
    HESSIANS,
    /** Largest |x| of each input feature, streamed. */
    CHANNEL_MAXIMA
}
