package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec.Position;
import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.AttentionSpec.Rotary;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.formats.hf.Activations;
import io.llmc4j.formats.hf.BlockBuilder;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.EndsLayout;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import io.llmc4j.formats.hf.Rope;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import java.util.function.IntPredicate;

/**
 * Llama's block: RMS norm, q/k/v/o with rotary positions, RMS norm, gated feed-forward. Families with the same tensors share it and say what
 * differs: windows and positions by layer, norms on queries and keys.
 */
final class LlamaShaped {

    private LlamaShaped() {
    }

    /** @param window of each layer; 0: all tokens */
    static ModelShape shape(HfConfig c, String family, boolean tiedHabit, QkNorm qkNorm, IntFunction<Integer> window) {
        Dims d = Dims.of(c);
        Position rotary = rotary(c, d);
        return shape(c, family, tiedHabit, qkNorm, window, i -> rotary);
    }

    static Position rotary(HfConfig c, Dims d) {
        Rope rope = Rope.of(c);
        int dims = (int) (d.headDim() * rope.partial(1, "partial_rotary_factor"));
        return new Rotary(dims, false, rope.scaling(dims, 10000, d.context()));
    }

    static ModelShape shape(HfConfig c, String family, boolean tiedHabit, QkNorm qkNorm, IntFunction<Integer> window,
            IntFunction<Position> position) {
        Dims d = Dims.of(c);
        int intermediate = c.integer("intermediate_size");
        double eps = c.numberOr(1e-6, "rms_norm_eps");
        c.harmless("attention_bias", "mlp_bias", "qkv_bias");
        List<LayerSpec> layers = new ArrayList<>();
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            layers.add(Parts.sequential(d.attention(position.apply(i), window.apply(i), qkNorm),
                    Parts.dense(intermediate, Activations.read(c, "silu", "hidden_act"), true)));
            BlockBuilder b = new BlockBuilder(i, "model.layers." + i);
            Parts.llamaAttention(b, d);
            Parts.gatedMlp(b, d.hidden(), intermediate);
            b.rms(NormSlot.ATTENTION_INPUT, "input_layernorm", d.hidden(), eps).rms(NormSlot.MLP_INPUT, "post_attention_layernorm", d.hidden(), eps);
            if (qkNorm == QkNorm.SHARED_BY_HEADS) {
                b.rms(NormSlot.Q, "self_attn.q_norm", d.headDim(), eps).rms(NormSlot.K, "self_attn.k_norm", d.headDim(), eps);
            }
            Parts.llamaAttentionSubsets(b, "input_layernorm");
            Parts.gatedMlpSubsets(b, "post_attention_layernorm");
            blocks.add(b.build());
        }
        return new ModelShape(Parts.spec(family, d, layers),
                EndsLayout.of("model.embed_tokens.weight", Parts.rms("model.norm", d.hidden(), eps), "lm_head.weight", Parts.tied(c, tiedHabit)),
                        blocks,
                Parts.MODEL_ROOTS, List.of());
    }

    /** Windows of Qwen: off unless switched on, then from a layer on, or by the list of layer types. */
    static IntFunction<Integer> switchedWindow(HfConfig c) {
        int from = c.integerOr(28, "max_window_layers");
        return switchedWindow(c, i -> i >= from);
    }

    /** @param untold layers with a window where the config has no list of layer types; each family has a rule of its own */
    static IntFunction<Integer> switchedWindow(HfConfig c, IntPredicate untold) {
        boolean on = c.flagOr(false, "use_sliding_window");
        int window = Parts.window(c);
        List<String> types = c.layerTypes(c.integer("num_hidden_layers"));
        if (!on || window == 0) {
            return i -> 0;
        }
        return types.isEmpty() ? i -> untold.test(i) ? window : 0 : i -> types.get(i).equals("sliding_attention") ? window : 0;
    }
}
