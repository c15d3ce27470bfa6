package io.llmc4j.engine.model;

import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensor;
import java.util.Optional;

/**
 * What stands outside the blocks: embeddings, final norm, head. Stored tensors stay mapped; a method that changes one (a rotation)
 * replaces it by a {@link Matrix} through {@link #withEmbedding} and its kin.
 *
 * @param embedding  [vocabulary, width], any float type
 * @param positions  learned positions [rows, width], or empty
 * @param embeddingNorm norm on the embeddings (BLOOM), or empty
 * @param projectIn  [hidden, width] (OPT-350M), or empty
 * @param finalNorm  or empty (OPT-350M)
 * @param projectOut [width, hidden], or empty
 * @param head       [vocabulary, width]; empty when tied to the embedding
 * @param headBias   [vocabulary] or length 0
 */
public record ModelEnds(Tensor embedding, Optional<Tensor> positions, Optional<Norm> embeddingNorm, Optional<Matrix> projectIn,
                        Optional<Norm> finalNorm, Optional<Matrix> projectOut, Optional<Tensor> head, float[] headBias) {

    public boolean tied() {
        return head.isEmpty();
    }

    public ModelEnds withEmbedding(Tensor t) {
        return new ModelEnds(t, positions, embeddingNorm, projectIn, finalNorm, projectOut, head, headBias);
    }

    public ModelEnds withPositions(Tensor t) {
        return new ModelEnds(embedding, Optional.of(t), embeddingNorm, projectIn, finalNorm, projectOut, head, headBias);
    }

    public ModelEnds withHead(Tensor t, float[] bias) {
        return new ModelEnds(embedding, positions, embeddingNorm, projectIn, finalNorm, projectOut, Optional.of(t), bias);
    }

    public ModelEnds withFinalNorm(Norm n) {
        return new ModelEnds(embedding, positions, embeddingNorm, projectIn, Optional.of(n), projectOut, head, headBias);
    }
}
