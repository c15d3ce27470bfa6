package io.llmc4j.formats.hf;

import java.util.Optional;

/**
 * Tensors outside the blocks, by full name; "" where a family has none.
 *
 * @param tied the head is the embedding
 */
public record EndsLayout(String embedding, String positions, Optional<NormLayout> embeddingNorm, String projectIn, Optional<NormLayout> finalNorm,
                         String projectOut, String head, String headBias, boolean tied) {

    /** The usual case: an embedding, a final norm and a head. */
    public static EndsLayout of(String embedding, NormLayout finalNorm, String head, boolean tied) {
        return new EndsLayout(embedding, "", Optional.empty(), "", Optional.of(finalNorm), "", head, "", tied);
    }

    public EndsLayout withPositions(String name) {
        return new EndsLayout(embedding, name, embeddingNorm, projectIn, finalNorm, projectOut, head, headBias, tied);
    }

    public EndsLayout withEmbeddingNorm(NormLayout n) {
        return new EndsLayout(embedding, positions, Optional.of(n), projectIn, finalNorm, projectOut, head, headBias, tied);
    }

    public EndsLayout withHeadBias(String name) {
        return new EndsLayout(embedding, positions, embeddingNorm, projectIn, finalNorm, projectOut, head, name, tied);
    }
}
