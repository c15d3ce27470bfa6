package io.llmc4j.formats.export.gguf.arch;

import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.AttentionSpec.Rotary;
import io.llmc4j.engine.model.FeedForwardSpec;
import io.llmc4j.engine.model.FeedForwardSpec.Experts;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.formats.export.gguf.GgufMetadata;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** An architecture as {@code <arch>.*} keys. */
public final class ArchWriter {

    /** What the file cannot say, in words for the run's report. */
    private final List<String> dropped = new ArrayList<>();
    private final GgufArch arch;
    private final ModelSpec spec;
    private final GgufMetadata metadata = new GgufMetadata();

    public ArchWriter(ModelSpec spec) {
        this.arch = GgufArch.ofFamily(spec.family());
        this.spec = spec;
        write();
    }

    public GgufArch arch() {
        return arch;
    }

    /** The keys; the norm's epsilon comes by {@link #putEpsilon}. */
    public GgufMetadata metadata() {
        return metadata;
    }

    public List<String> dropped() {
        return dropped;
    }

    /** The key that holds the epsilon of every norm. */
    public static void putEpsilon(GgufArch arch, float eps, GgufMetadata to) {
        to.f32(arch.key(arch.norm() == Norm.Kind.RMS ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon"), eps);
    }

    /** Tensors of rotary divisors, by name without ".weight". */
    public Map<String, float[]> rotaryTensors() {
        return rotary().map(RotaryMetadata::tensors).orElse(Map.of());
    }

    /** The rotary positions of the model: those of a layer that sees everything, where there is one. */
    private Optional<Rotary> rotary() {
        return spec.layers().stream().map(LayerSpec::attention).filter(a -> a.position() instanceof Rotary)
                .sorted((a, b) -> Integer.compare(Math.min(1, a.slidingWindow()), Math.min(1, b.slidingWindow())))
                .map(a -> (Rotary) a.position()).findFirst();
    }

    private void write() {
        LayerSpec first = spec.layers().getFirst();
        AttentionSpec attention = first.attention();
        metadata.u32(arch.key("vocab_size"), spec.vocabularySize());
        metadata.u32(arch.key("context_length"), spec.contextLength());
        metadata.u32(arch.key("embedding_length"), spec.hiddenSize());
        metadata.u32(arch.key("block_count"), spec.blocks());
        metadata.u32(arch.key("feed_forward_length"), denseWidth() * (arch.has(Trait.DOUBLE_WIDTH) ? 2 : 1));
        metadata.u32(arch.key("attention.head_count"), attention.heads());
        if (arch.has(Trait.LATENT) && attention.latent().isPresent()) {
            latent(attention);
        } else {
            metadata.u32(arch.key("attention.head_count_kv"), attention.kvHeads());
            metadata.u32(arch.key("attention.key_length"), attention.headDim());
            metadata.u32(arch.key("attention.value_length"), attention.valueDim());
        }
        rotary().ifPresent(r -> RotaryMetadata.write(arch, r, spec.contextLength(), metadata, dropped));
        windows();
        scales(first);
        spec.layers().stream().map(LayerSpec::feedForward).flatMap(f -> f.experts().stream()).findFirst().ifPresent(this::experts);
    }

    /** The width of dense blocks; where all have experts, that of an expert. */
    private int denseWidth() {
        return spec.layers().stream().map(LayerSpec::feedForward).filter(f -> f.experts().isEmpty()).map(FeedForwardSpec::intermediate).findFirst()
                .orElseGet(() -> {
                    FeedForwardSpec f = spec.layers().getFirst().feedForward();
                    return f.intermediate() > 0 ? f.intermediate() : f.experts().orElseThrow().intermediate();
                });
    }

    private void latent(AttentionSpec a) {
        AttentionSpec.Latent l = a.latent().orElseThrow();
        // Latent attention is one key head as wide as the latent, from which the heads are made.
        metadata.u32(arch.key("attention.head_count_kv"), 1);
        // 0 where queries have no latent: llama.cpp wants the key.
        metadata.u32(arch.key("attention.q_lora_rank"), l.qRank());
        metadata.u32(arch.key("attention.kv_lora_rank"), l.kvRank());
        metadata.u32(arch.key("attention.key_length"), l.kvRank() + l.ropeDim());
        metadata.u32(arch.key("attention.value_length"), l.kvRank());
        metadata.u32(arch.key("attention.key_length_mla"), l.nopeDim() + l.ropeDim());
        metadata.u32(arch.key("attention.value_length_mla"), a.valueDim());
    }

    private void windows() {
        spec.layers().stream().mapToInt(l -> l.attention().logitScaling()).filter(n -> n > 0).findFirst().ifPresent(n -> dropped.add("log-n scaling of attention: llama.cpp has none; "
                + "the same up to " + n + " tokens"));
        List<Integer> windows = spec.layers().stream().map(l -> l.attention().slidingWindow()).toList();
        int window = windows.stream().filter(w -> w > 0).findFirst().orElse(0);
        if (window == 0) {
            return;
        }
        if (!arch.has(Trait.WINDOWS)) {
            dropped.add("sliding window of " + window + ": llama.cpp's " + arch.title() + " attends to all tokens; the same up to " + window + " tokens");
            return;
        }
        metadata.u32(arch.key("attention.sliding_window"), window);
        metadata.bools(arch.key("attention.sliding_window_pattern"), windows.stream().map(w -> w > 0).toList());
        if (arch.has(Trait.WINDOW_BASE)) {
            spec.layers().stream().map(LayerSpec::attention).filter(a -> a.slidingWindow() > 0 && a.position() instanceof Rotary).findFirst()
                    .ifPresent(a -> metadata.f32(arch.key("rope.freq_base_swa"), ((Rotary) a.position()).scaling().base()));
        }
    }

    private void scales(LayerSpec first) {
        if (arch.has(Trait.SCALES)) {
            metadata.f32(arch.key("embedding_scale"), spec.embeddingMultiplier());
            metadata.f32(arch.key("residual_scale"), first.residualMultiplier());
        }
        if (arch.has(Trait.LOGIT_FACTOR)) {
            metadata.f32(arch.key("logit_scale"), spec.logitMultiplier());
        }
        if (arch.has(Trait.LOGIT_DIVISOR)) {
            metadata.f32(arch.key("logit_scale"), 1 / spec.logitMultiplier());
        }
        if (arch.has(Trait.ATTENTION_SCALE)) {
            metadata.f32(arch.key("attention.scale"), first.attention().scale());
        }
        if (arch.has(Trait.SOFT_CAPS)) {
            if (first.attention().softCap() != 0) {
                metadata.f32(arch.key("attn_logit_softcapping"), first.attention().softCap());
            }
            if (spec.logitSoftCap() != 0) {
                metadata.f32(arch.key("final_logit_softcapping"), spec.logitSoftCap());
            }
        }
        if (arch.has(Trait.PARALLEL_BY_KEY) || arch == GgufArch.STABLELM) {
            metadata.bool(arch.key("use_parallel_residual"), first.parallel());
        }
        if (arch == GgufArch.FALCON) {
            metadata.text(arch.key("tensor_data_layout"), "jploski");
        }
    }

    private void experts(Experts e) {
        metadata.u32(arch.key("expert_count"), e.count());
        metadata.u32(arch.key("expert_used_count"), e.perToken());
        if (arch != GgufArch.LLAMA) {
            metadata.u32(arch.key("expert_feed_forward_length"), e.intermediate());
        }
        if (arch == GgufArch.QWEN2_MOE) {
            metadata.u32(arch.key("expert_shared_feed_forward_length"), e.sharedIntermediate());
        }
        if (arch != GgufArch.DEEPSEEK2) {
            return;
        }
        int dense = (int) spec.layers().stream().takeWhile(l -> l.feedForward().experts().isEmpty()).count();
        metadata.u32(arch.key("leading_dense_block_count"), dense);
        metadata.u32(arch.key("expert_shared_count"), e.sharedIntermediate() / e.intermediate());
        metadata.f32(arch.key("expert_weights_scale"), e.scaling());
        metadata.bool(arch.key("expert_weights_norm"), e.normalize());
        metadata.u32(arch.key("expert_gating_func"), e.scoring() == Experts.Scoring.SIGMOID ? 2 : 1);
        if (e.groups() > 1) {
            metadata.u32(arch.key("expert_group_count"), e.groups());
            metadata.u32(arch.key("expert_group_used_count"), e.topGroups());
            if (e.groupScoring() == Experts.GroupScoring.MAX) {
                dropped.add("groups of experts are chosen by their best expert; llama.cpp chooses by the sum of the two best");
            }
        }
    }
}
