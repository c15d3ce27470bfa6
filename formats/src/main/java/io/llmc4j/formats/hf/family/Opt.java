package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.model.AttentionSpec.NoPosition;
import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.formats.hf.Activations;
import io.llmc4j.formats.hf.BlockBuilder;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.EndsLayout;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import io.llmc4j.formats.hf.NormLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** OPT: learned positions from row 2 on, ReLU, biases everywhere; the 350M size norms after the residual and projects its embedding. */
public final class Opt implements Family {

    private static final double EPS = 1e-5;

    @Override
    public String name() {
        return "opt";
    }

    @Override
    public List<String> architectures() {
        return List.of("OPTForCausalLM");
    }

    @Override
    public String quirks() {
        return "learned positions; pre- and post-norm; embedding projections";
    }

    @Override
    public String without() {
        return "QuaRot, SpinQuant for post-norm models (350M)";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        Dims d = Dims.of(c);
        boolean before = c.flagOr(true, "do_layer_norm_before");
        int width = c.integerOr(d.hidden(), "word_embed_proj_dim");
        int ffn = c.integer("ffn_dim");
        Activation f = Activations.read(c, "relu", "activation_function");
        c.only("layer_norm_elementwise_affine", true);
        c.harmless("enable_bias");
        boolean finalNorm = before && !c.flagOr(false, "_remove_final_layer_norm");
        List<LayerSpec> layers = new ArrayList<>();
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            layers.add(Parts.sequential(d.attention(new NoPosition(), 0, QkNorm.NONE), Parts.dense(ffn, f, false)));
            blocks.add(block(i, d, ffn, before, f));
        }
        String root = "model.decoder.";
        Optional<NormLayout> norm = finalNorm ? Optional.of(Parts.layerNorm(root + "final_layer_norm", d.hidden(), EPS)) : Optional.empty();
        boolean projects = width != d.hidden();
        EndsLayout ends = new EndsLayout(root + "embed_tokens.weight", root + "embed_positions.weight", Optional.empty(),
                projects ? root + "project_in.weight" : "", norm, projects ? root + "project_out.weight" : "", "lm_head.weight", "",
                        Parts.tied(c, true));
        ModelSpec spec = new ModelSpec(name(), d.hidden(), d.vocabulary(), d.context(), 1f, 2, 1f, 0f, layers);
        return new ModelShape(spec, ends, blocks, List.of(root, "decoder."), List.of());
    }

    private static BlockLayout block(int i, Dims d, int ffn, boolean before, Activation f) {
        BlockBuilder b = new BlockBuilder(i, "model.decoder.layers." + i);
        b.linear("self_attn.q_proj", Role.Q, d.hidden(), d.hidden()).linear("self_attn.k_proj", Role.K, d.hidden(), d.hidden())
                .linear("self_attn.v_proj", Role.V, d.hidden(), d.hidden()).linear("self_attn.out_proj", Role.O, d.hidden(), d.hidden());
        b.linear("fc1", Role.UP, ffn, d.hidden()).linear("fc2", Role.DOWN, d.hidden(), ffn);
        b.layerNorm(before ? NormSlot.ATTENTION_INPUT : NormSlot.AFTER_ATTENTION, "self_attn_layer_norm", d.hidden(), EPS);
        b.layerNorm(before ? NormSlot.MLP_INPUT : NormSlot.AFTER_MLP, "final_layer_norm", d.hidden(), EPS);
        String[] qkv = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"};
        if (before) {
            b.afterNorm("self_attn_layer_norm", Subset.Inspect.ATTENTION, false, qkv);
        } else {
            b.alone(Subset.Inspect.ATTENTION, false, qkv);
        }
        b.afterLinear("self_attn.v_proj", false, "self_attn.out_proj");
        if (before) {
            b.afterNorm("final_layer_norm", Subset.Inspect.LINEAR, true, "fc1");
        } else {
            b.alone(Subset.Inspect.LINEAR, true, "fc1");
        }
        // ReLU commutes with positive scales, so a fold is legal; LLMC's searches leave this subset alone.
        Optional<Subset.Previous> fc1 = f == Activation.RELU ? Optional.of(new Subset.PreviousLinear("fc1")) : Optional.empty();
        b.subset(new Subset(List.of("fc2"), fc1, Subset.Inspect.LINEAR, true, false, true));
        return b.build();
    }
}
