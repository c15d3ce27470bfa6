package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.FeedForwardSpec;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.formats.hf.BlockBuilder;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import io.llmc4j.formats.hf.NormLayout;
import java.util.List;
import java.util.Optional;

/** Pieces that many families have in common: Llama's attention and gated feed-forward by their usual names, and specs with nothing special. */
final class Parts {

    /** Where checkpoints of these names may put "model.": a vision model wraps its language model. */
    static final List<String> MODEL_ROOTS = List.of("model.", "language_model.model.", "model.language_model.", "model.text_model.", "");

    private Parts() {
    }

    static NormLayout rms(String name, int features, double eps) {
        return new NormLayout(name, Norm.Kind.RMS, (float) eps, features, List.of(name + ".weight"), "", false);
    }

    static NormLayout rmsPlusOne(String name, int features, double eps) {
        return new NormLayout(name, Norm.Kind.RMS, (float) eps, features, List.of(name + ".weight"), "", true);
    }

    static NormLayout layerNorm(String name, int features, double eps) {
        return new NormLayout(name, Norm.Kind.LAYER, (float) eps, features, List.of(name + ".weight"), name + ".bias", false);
    }

    /** self_attn.{q,k,v,o}_proj. */
    static void llamaAttention(BlockBuilder b, Dims d) {
        b.linear("self_attn.q_proj", Role.Q, d.queries(), d.hidden()).linear("self_attn.k_proj", Role.K, d.keys(), d.hidden())
                .linear("self_attn.v_proj", Role.V, d.keys(), d.hidden()).linear("self_attn.o_proj", Role.O, d.hidden(), d.queries());
        b.buffer("self_attn.rotary_emb.inv_freq");
    }

    /** {q, k, v} after the norm, then o after v. */
    static void llamaAttentionSubsets(BlockBuilder b, String norm) {
        b.afterNorm(norm, Subset.Inspect.ATTENTION, false, "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj");
        b.afterLinear("self_attn.v_proj", false, "self_attn.o_proj");
    }

    /** mlp.{gate,up,down}_proj. */
    static void gatedMlp(BlockBuilder b, int hidden, int intermediate) {
        b.linear("mlp.gate_proj", Role.GATE, intermediate, hidden).linear("mlp.up_proj", Role.UP, intermediate, hidden)
                .linear("mlp.down_proj", Role.DOWN, hidden, intermediate);
    }

    static void gatedMlpSubsets(BlockBuilder b, String norm) {
        b.afterNorm(norm, Subset.Inspect.MLP, true, "mlp.gate_proj", "mlp.up_proj");
        b.afterLinear("mlp.up_proj", true, "mlp.down_proj");
    }

    static FeedForwardSpec dense(int intermediate, Activation f, boolean gated) {
        return new FeedForwardSpec(intermediate, f, gated, 0f, Optional.empty());
    }

    static LayerSpec sequential(AttentionSpec a, FeedForwardSpec f) {
        return new LayerSpec(a, f, false, 1f);
    }

    static LayerSpec parallel(AttentionSpec a, FeedForwardSpec f) {
        return new LayerSpec(a, f, true, 1f);
    }

    static ModelSpec spec(String family, Dims d, List<LayerSpec> layers) {
        return new ModelSpec(family, d.hidden(), d.vocabulary(), d.context(), 1f, 0, 1f, 0f, layers);
    }

    /** The config's tie_word_embeddings, or the family's habit. */
    static boolean tied(HfConfig c, boolean absent) {
        return c.flagOr(absent, "tie_word_embeddings");
    }

    /** A window that applies to all layers; null and 0 mean none. */
    static int window(HfConfig c) {
        return c.integerOr(0, "sliding_window");
    }

    static AttentionSpec withScale(AttentionSpec a, float scale) {
        return new AttentionSpec(a.heads(), a.kvHeads(), a.headDim(), a.valueDim(), scale, a.position(), a.slidingWindow(), a.softCap(), a.qkNorm(),
                a.sinks(),
                a.latent(), a.logitScaling());
    }

    /** The same shape with other layers, and factors on embedding and logits. */
    static ModelShape scaled(ModelShape s, List<LayerSpec> layers, float embedding, float logits) {
        ModelSpec m = s.spec();
        ModelSpec spec = new ModelSpec(m.family(), m.hiddenSize(), m.vocabularySize(), m.contextLength(), embedding, m.positionOffset(), logits,
                m.logitSoftCap(),
                layers);
        return new ModelShape(spec, s.ends(), s.blocks(), s.roots(), s.carried());
    }

    static FeedForwardSpec experts(int intermediate, Activation f, FeedForwardSpec.Experts experts) {
        return new FeedForwardSpec(intermediate, f, true, 0f, Optional.of(experts));
    }
}
