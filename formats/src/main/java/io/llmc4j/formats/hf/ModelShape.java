package io.llmc4j.formats.hf;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.model.ModelSpec;
import java.util.List;

/**
 * All that config.json says: the architecture and how it is stored, without a weight. Enough to plan a run.
 *
 * @param roots   what the family's first name part may be called in a checkpoint: for "model." also "language_model.model." where a vision model
 *                wraps it, or "" for checkpoints saved from the inner class; the family's own first
 * @param carried name prefixes (after the root is settled) of tensors that inference of the text model does not use, with the reason
 */
public record ModelShape(ModelSpec spec, EndsLayout ends, List<BlockLayout> blocks, List<String> roots, List<Carried> carried) {

    /** @param prefix of tensor names as the checkpoint spells them */
    public record Carried(String prefix, String reason) { }

    public ModelShape {
        blocks = List.copyOf(blocks);
        roots = List.copyOf(roots);
        carried = List.copyOf(carried);
        if (blocks.size() != spec.blocks()) {
            throw new IllegalArgumentException(blocks.size() + " layouts for " + spec.blocks() + " blocks");
        }
    }

    /** The architecture of a config.json; throws BadInput naming what is unknown. */
    public static ModelShape of(HfConfig config) {
        Family family = Families.of(config);
        config.only("is_causal", true);
        requireSizes(config);
        ModelShape shape = family.shape(config);
        config.finish();
        return shape;
    }

    /** What families divide by, under whichever name they have it. */
    private static final List<String> DIVISORS = List.of("num_attention_heads", "n_head", "n_heads", "num_heads", "intermediate_size", "moe_intermediate_size", "ffn_hidden_size",
            "ffn_dim", "n_inner", "decoder_sparse_step", "moe_layer_freq", "sliding_window_pattern", "_sliding_window_pattern", "no_rope_layer_interval");

    private static void requireSizes(HfConfig config) {
        for (String key : DIVISORS) {
            JsonNode size = config.json().path(key);
            if (size.isNumber() && size.asLong() < 1) {
                throw config.wrong(key, size.asText(), "integers above 0");
            }
        }
    }

    /** Values of all weights, norms and tables; biases of linear layers are not counted: a config does not tell which there are. */
    public long parameters() {
        long sum = 0;
        for (BlockLayout b : blocks) {
            for (ModuleLayout m : b.modules()) {
                sum += (long) m.out() * m.in();
            }
            for (NormLayout n : b.norms().values()) {
                sum += values(n);
            }
            for (BlockLayout.VectorLayout v : b.vectors().values()) {
                sum += v.length();
            }
        }
        long table = (long) spec.vocabularySize() * spec.hiddenSize();
        sum += ends.tied() ? table : 2 * table;
        if (!ends.positions().isEmpty()) {
            sum += (long) (spec.contextLength() + spec.positionOffset()) * spec.hiddenSize();
        }
        return sum + ends.embeddingNorm().map(ModelShape::values).orElse(0L) + ends.finalNorm().map(ModelShape::values).orElse(0L);
    }

    private static long values(NormLayout n) {
        return (long) n.features() * (n.bias().isEmpty() ? 1 : 2);
    }
}
