package io.llmc4j.engine.model;

import java.util.List;

/**
 * A decoder-only architecture as data. What differs between families is here and nowhere else in the engine.
 *
 * @param family              "llama", "qwen3"
 * @param hiddenSize          features of the residual stream
 * @param vocabularySize      rows of the embedding
 * @param contextLength       positions that the model was made for
 * @param embeddingMultiplier factor on the embedding (Gemma: sqrt(hidden) rounded to the model's type; MiniCPM, Granite)
 * @param positionOffset      learned position p is row p + offset (OPT: 2)
 * @param logitMultiplier     factor on the logits (Cohere, Granite 1 / scaling, MiniCPM)
 * @param logitSoftCap        cap * tanh(logits / cap); 0: not
 */
public record ModelSpec(String family, int hiddenSize, int vocabularySize, int contextLength, float embeddingMultiplier, int positionOffset,
                        float logitMultiplier, float logitSoftCap, List<LayerSpec> layers) {

    public ModelSpec {
        layers = List.copyOf(layers);
    }

    public int blocks() {
        return layers.size();
    }
}
