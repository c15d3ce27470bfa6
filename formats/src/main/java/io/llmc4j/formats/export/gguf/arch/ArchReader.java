package io.llmc4j.formats.export.gguf.arch;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.AttentionSpec.Alibi;
import io.llmc4j.engine.model.AttentionSpec.Latent;
import io.llmc4j.engine.model.AttentionSpec.NoPosition;
import io.llmc4j.engine.model.AttentionSpec.Position;
import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.AttentionSpec.Rotary;
import io.llmc4j.engine.model.FeedForwardSpec;
import io.llmc4j.engine.model.FeedForwardSpec.Experts;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.model.RopeScaling;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.formats.export.gguf.GgufError;
import io.llmc4j.formats.export.gguf.GgufMetadata;
import io.llmc4j.formats.export.gguf.GgufValue;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** {@code <arch>.*} keys back to an architecture. What a key does not say, tensors do (norms on queries, sinks, biases of routers). */
public final class ArchReader {

    private static final int MOST_BLOCKS = 1 << 16;
    private static final int WIDEST = 1 << 24;
    /** Heads, and features of a head: their product stays an int. */
    private static final int MOST_HEADS = 1 << 14;
    private static final float GPT_OSS_CLAMP = 7f;

    private final GgufArch arch;
    private final GgufMetadata m;
    private final Function<String, Optional<Shape>> shapes;
    private final Function<String, float[]> vectors;
    private final int blocks;
    private final int context;
    private final boolean[] windowed;
    private final int window;

    /**
     * @param shapes  full tensor name to its shape, or empty
     * @param vectors tensor name without ".weight" to the values of a small float tensor, of length 0 where there is none
     */
    public ArchReader(GgufMetadata m, Function<String, Optional<Shape>> shapes, Function<String, float[]> vectors) {
        String title = m.needText("general.architecture");
        this.arch = GgufArch.byTitle(title).orElseThrow(() -> BadInput.of(BadInput.Common.NOT_SUPPORTED,
                "GGUF: the architecture %s is not one of those that are read here", title));
        this.m = m;
        this.shapes = shapes;
        this.vectors = vectors;
        this.blocks = count("block_count");
        if (blocks < 1 || blocks > MOST_BLOCKS) {
            throw BadInput.of(GgufError.METADATA, "%s is %d", arch.key("block_count"), blocks);
        }
        this.context = count("context_length");
        this.window = arch.has(Trait.WINDOWS) ? m.count(arch.key("attention.sliding_window")).orElse(arch == GgufArch.GEMMA2 ? 4096 : 0) : 0;
        this.windowed = window == 0 ? new boolean[blocks] : pattern();
    }

    public GgufArch arch() {
        return arch;
    }

    public Norm.Kind normKind() {
        return arch.norm();
    }

    public float epsilon() {
        return (float) m.needReal(arch.key(arch.norm() == Norm.Kind.RMS ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon"));
    }

    /** The architecture; its family is the first of ours that this one is. */
    public ModelSpec spec() {
        int hidden = within("embedding_length", count("embedding_length"), 1, WIDEST);
        List<LayerSpec> layers = new ArrayList<>();
        for (int i = 0; i < blocks; i++) {
            layers.add(layer(i, hidden));
        }
        float embedding = arch.has(Trait.ROOT_WIDTH) ? (float) Math.sqrt(hidden) : arch.has(Trait.SCALES) ? real("embedding_scale", 1) : 1;
        float logits = arch.has(Trait.LOGIT_FACTOR) ? real("logit_scale", 1) : arch.has(Trait.LOGIT_DIVISOR) ? 1 / real("logit_scale", 1) : 1;
        float cap = arch.has(Trait.SOFT_CAPS) ? real("final_logit_softcapping", arch == GgufArch.GEMMA2 ? 30 : 0) : 0;
        int vocabulary = shapes.apply(TensorNames.EMBEDDING + ".weight").map(s -> Math.toIntExact(s.dim(0)))
                .or(() -> m.count(arch.key("vocab_size"))).orElseThrow(() -> BadInput.of(GgufError.TENSOR, "there is no token_embd.weight"));
        return new ModelSpec(arch.families().getFirst(), hidden, vocabulary, context, embedding, 0, logits, cap, layers);
    }

    private LayerSpec layer(int i, int hidden) {
        boolean parallel = arch.has(Trait.PARALLEL) || arch.has(Trait.PARALLEL_BY_KEY) && m.bool(arch.key("use_parallel_residual")).orElse(true)
                || arch.has(Trait.PARALLEL_WITHOUT_NORM) && !has(i, "ffn_norm.weight");
        float residual = arch.has(Trait.SCALES) ? real("residual_scale", 1) : 1;
        return new LayerSpec(attention(i, hidden), feedForward(i), parallel, residual);
    }

    private AttentionSpec attention(int i, int hidden) {
        int heads = at("attention.head_count", i);
        int kvHeads = m.has(arch.key("attention.head_count_kv")) ? at("attention.head_count_kv", i) : heads;
        within("attention.head_count", heads, 1, MOST_HEADS);
        if (kvHeads < 1 || heads % kvHeads != 0) {
            throw BadInput.of(GgufError.METADATA, "%d query heads with %d key heads in block %d", heads, kvHeads, i);
        }
        Optional<Latent> latent = Optional.empty();
        int headDim = m.count(arch.key("attention.key_length")).orElse(hidden / heads);
        int valueDim = m.count(arch.key("attention.value_length")).orElse(hidden / heads);
        if (arch.has(Trait.LATENT)) {
            int rope = count("rope.dimension_count");
            headDim = m.count(arch.key("attention.key_length_mla")).orElse(headDim);
            valueDim = m.count(arch.key("attention.value_length_mla")).orElse(valueDim);
            kvHeads = heads;
            int qRank = within("attention.q_lora_rank", m.count(arch.key("attention.q_lora_rank")).orElse(0), 0, WIDEST);
            int kvRank = within("attention.kv_lora_rank", count("attention.kv_lora_rank"), 1, WIDEST);
            latent = Optional.of(new Latent(qRank, kvRank, headDim - within("rope.dimension_count", rope, 2, headDim), rope));
        }
        within("attention.key_length", headDim, 1, MOST_HEADS);
        within("attention.value_length", valueDim, 1, MOST_HEADS);
        Position position = position(i, latent.isPresent() ? latent.get().ropeDim() : headDim);
        QkNorm norm = qkNorm(i, headDim, heads);
        boolean sinks = arch == GgufArch.GPT_OSS;
        float cap = arch == GgufArch.GEMMA2 ? real("attn_logit_softcapping", 50) : 0;
        return new AttentionSpec(heads, kvHeads, headDim, valueDim, scale(headDim, heads, hidden, position), position, windowed[i] ? window : 0, cap, norm,
                sinks, latent, 0);
    }

    private float scale(int headDim, int heads, int hidden, Position position) {
        if (arch.has(Trait.ATTENTION_SCALE) && m.has(arch.key("attention.scale"))) {
            return real("attention.scale", 0);
        }
        // The largest Gemmas divide by the width of a head that they do not have.
        boolean largest = arch == GgufArch.GEMMA2 && blocks == 46 || arch == GgufArch.GEMMA3 && blocks == 62;
        double plain = 1 / Math.sqrt(largest ? (double) (hidden / heads) : headDim);
        if (arch.has(Trait.LATENT) && position instanceof Rotary r && r.scaling() instanceof RopeScaling.Yarn y && y.mscaleAllDims() != 0) {
            double t = RopeScaling.Yarn.temperature(y.factor(), y.mscaleAllDims());
            return (float) (plain * t * t);
        }
        return (float) plain;
    }

    private Position position(int i, int headDim) {
        if (arch.has(Trait.ALIBI)) {
            return new Alibi(1f);
        }
        if (arch.rows() == GgufArch.RotaryRows.NONE || arch.has(Trait.ROTARY_IN_WINDOWS_ONLY) && !windowed[i]
                || arch.has(Trait.FOURTH_WITHOUT_POSITIONS) && (i + 1) % 4 == 0) {
            return new NoPosition();
        }
        int dims = within("rope.dimension_count", m.count(arch.key("rope.dimension_count")).orElse(headDim), 0, headDim);
        if (dims % 2 != 0) {
            throw BadInput.of(GgufError.METADATA, "%s is %d; an even number is needed", arch.key("rope.dimension_count"), dims);
        }
        RopeScaling scaling = RotaryMetadata.scaling(arch, m, context, vectors);
        checkDivisors(scaling, dims);
        if (windowed[i] && arch.has(Trait.WINDOW_BASE)) {
            scaling = new RopeScaling.Plain(m.real(arch.key("rope.freq_base_swa")).orElse(10000.0));
        }
        return new Rotary(dims, arch.rows() == GgufArch.RotaryRows.INTERLEAVED, scaling);
    }

    private static void checkDivisors(RopeScaling scaling, int dims) {
        if (!(scaling.base() > 0)) {
            throw BadInput.of(GgufError.METADATA, "the rotary base is %s", scaling.base());
        }
        if (scaling instanceof RopeScaling.LongRope l && (l.longFactors().size() != dims / 2 || l.shortFactors().size() != dims / 2)) {
            throw BadInput.of(GgufError.TENSOR, "%d and %d rotary divisors for %d pairs", l.shortFactors().size(), l.longFactors().size(), dims / 2);
        }
    }

    private QkNorm qkNorm(int i, int headDim, int heads) {
        Optional<Shape> q = shapes.apply(TensorNames.inBlock(i, "attn_q_norm.weight"));
        if (q.isEmpty()) {
            return QkNorm.NONE;
        }
        return q.get().rank() > 1 ? QkNorm.EACH_HEAD : q.get().elements() == headDim ? QkNorm.SHARED_BY_HEADS : QkNorm.FULL_WIDTH;
    }

    private FeedForwardSpec feedForward(int i) {
        int width = within("feed_forward_length", at("feed_forward_length", i), 1, WIDEST) / (arch.has(Trait.DOUBLE_WIDTH) ? 2 : 1);
        boolean routed = has(i, "ffn_gate_inp.weight");
        float clamp = arch == GgufArch.GPT_OSS ? GPT_OSS_CLAMP : 0;
        return new FeedForwardSpec(width, arch.activation(), arch.has(Trait.GATED), clamp, routed ? Optional.of(experts(i, width)) : Optional.empty());
    }

    private Experts experts(int i, int width) {
        int count = within("expert_count", count("expert_count"), 1, MOST_HEADS);
        within("expert_used_count", count("expert_used_count"), 1, count);
        int inner = m.has(arch.key("expert_feed_forward_length")) ? within("expert_feed_forward_length", at("expert_feed_forward_length", i), 1, WIDEST)
                : width;
        boolean correction = has(i, TensorNames.CORRECTION + ".bias");
        int shared = switch (arch) {
            case QWEN2_MOE -> m.count(arch.key("expert_shared_feed_forward_length")).orElse(width);
            case DEEPSEEK2 -> inner * within("expert_shared_count", m.count(arch.key("expert_shared_count")).orElse(0), 0, 64);
            default -> 0;
        };
        Experts.Scoring scoring = arch.has(Trait.GPT_OSS) ? Experts.Scoring.SOFTMAX_OF_CHOSEN
                : m.count(arch.key("expert_gating_func")).orElse(1) == 2 ? Experts.Scoring.SIGMOID : Experts.Scoring.SOFTMAX;
        boolean normalize = arch.has(Trait.NORMALIZED_EXPERTS) || m.bool(arch.key("expert_weights_norm")).orElse(false);
        return new Experts(count, count("expert_used_count"), inner, shared, arch == GgufArch.QWEN2_MOE, scoring, normalize,
                m.count(arch.key("expert_group_count")).orElse(1), m.count(arch.key("expert_group_used_count")).orElse(1), Experts.GroupScoring.SUM_OF_TOP_TWO,
                real("expert_weights_scale", 1), correction);
    }

    /** Which layers have a window: a list, or "all but each n-th". */
    private boolean[] pattern() {
        String key = arch.key("attention.sliding_window_pattern");
        boolean[] out = new boolean[blocks];
        if (m.values().get(key) instanceof GgufValue.Array a) {
            for (int i = 0; i < blocks; i++) {
                out[i] = i < a.values().size() && (a.values().get(i) instanceof GgufValue.Bool b ? b.value()
                        : a.values().get(i) instanceof GgufValue.Whole w && w.value() != 0);
            }
            return out;
        }
        int every = m.count(key).orElse(switch (arch) {
            case GEMMA3 -> 6;
            case COHERE2, OLMO2 -> 4;
            default -> 2;
        });
        for (int i = 0; i < blocks; i++) {
            out[i] = every == 0 || i % every < every - 1;
        }
        return out;
    }

    private boolean has(int block, String name) {
        return shapes.apply(TensorNames.inBlock(block, name)).isPresent();
    }

    private int within(String name, int v, int least, int most) {
        if (v < least || v > most) {
            throw BadInput.of(GgufError.METADATA, "%s is %d; %d to %d are possible here", arch.key(name), v, least, most);
        }
        return v;
    }

    private int count(String name) {
        return m.needCount(arch.key(name));
    }

    /** A number, or the block's entry of a list. */
    private int at(String name, int block) {
        long[] all = m.wholes(arch.key(name)).orElseThrow(() -> BadInput.of(GgufError.METADATA, "the metadata has no %s", arch.key(name)));
        if (all.length != 1 && all.length < blocks) {
            throw BadInput.of(GgufError.METADATA, "%s has %d entries for %d blocks", arch.key(name), all.length, blocks);
        }
        long v = all.length == 1 ? all[0] : all[block];
        if (v < 0 || v > Integer.MAX_VALUE) {
            throw BadInput.of(GgufError.METADATA, "%s is %d", arch.key(name), v);
        }
        return (int) v;
    }

    private float real(String name, float otherwise) {
        return m.real(arch.key(name)).map(Double::floatValue).orElse(otherwise);
    }
}
