package io.llmc4j.formats.hf;

/**
 * What a tensor of the input checkpoint is to a run.
 *
 * @param note its role ("model.layers.0: self_attn.q_proj"), or why it is carried along or dropped
 */
public record TensorFate(String tensor, Fate fate, String note) {

    public enum Fate {
        /** It has a role in the text model. */
        USED,
        /** Inference of the text model does not use it; written as it is. */
        CARRIED,
        /** A loader makes it again, or it repeats another tensor; not written. */
        DROPPED
    }
}
