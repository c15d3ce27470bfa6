package io.llmc4j.formats.export.gguf.arch;

import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.AttentionSpec.Rotary;
import io.llmc4j.engine.model.FeedForwardSpec;
import io.llmc4j.engine.model.FeedForwardSpec.Experts;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.ModelSpec;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * What an architecture would lose as this kind of GGUF: the written metadata, read back, against the original. Sliding windows that
 * the architecture has none for are left out (they are reported, and change nothing up to their length).
 */
public final class ArchDifferences {

    private static final Set<Activation> GELUS = EnumSet.of(Activation.GELU_ERF, Activation.GELU_TANH);

    private final GgufArch arch;
    private final Set<String> found = new LinkedHashSet<>();

    private ArchDifferences(GgufArch arch) {
        this.arch = arch;
    }

    /** One sentence a difference; empty when the file says it all. */
    public static List<String> of(GgufArch arch, ModelSpec original, ModelSpec readBack) {
        ArchDifferences d = new ArchDifferences(arch);
        d.models(original, readBack);
        return List.copyOf(d.found);
    }

    private void models(ModelSpec a, ModelSpec b) {
        same("hidden size", a.hiddenSize(), b.hiddenSize());
        same("vocabulary size", a.vocabularySize(), b.vocabularySize());
        same("blocks", a.blocks(), b.blocks());
        near("embedding multiplier", a.embeddingMultiplier(), b.embeddingMultiplier());
        near("logit multiplier", a.logitMultiplier(), b.logitMultiplier());
        near("logit soft cap", a.logitSoftCap(), b.logitSoftCap());
        same("offset of positions", a.positionOffset(), b.positionOffset());
        placesOfExperts(a);
        for (int i = 0; i < Math.min(a.blocks(), b.blocks()); i++) {
            layers(a.layers().get(i), b.layers().get(i));
        }
    }

    /** Experts in all blocks or in none; DeepSeek: in all but the first ones. */
    private void placesOfExperts(ModelSpec a) {
        List<Integer> with = new ArrayList<>();
        for (int i = 0; i < a.blocks(); i++) {
            if (a.layers().get(i).feedForward().experts().isPresent()) {
                with.add(i);
            }
        }
        boolean all = with.size() == a.blocks();
        boolean last = !with.isEmpty() && with.getLast() - with.getFirst() + 1 == with.size() && with.getLast() == a.blocks() - 1;
        if (!with.isEmpty() && !all && !(arch == GgufArch.DEEPSEEK2 && last)) {
            found.add("experts in blocks " + with + " only: this architecture has them in all");
        }
    }

    private void layers(LayerSpec a, LayerSpec b) {
        same("parallel branches", a.parallel(), b.parallel());
        near("residual multiplier", a.residualMultiplier(), b.residualMultiplier());
        attention(a.attention(), b.attention());
        feedForward(a.feedForward(), b.feedForward());
    }

    private void attention(AttentionSpec a, AttentionSpec b) {
        same("query heads", a.heads(), b.heads());
        same("key heads", a.kvHeads(), b.kvHeads());
        same("head width", a.headDim(), b.headDim());
        same("value width", a.valueDim(), b.valueDim());
        near("attention scale", a.scale(), b.scale());
        near("attention soft cap", a.softCap(), b.softCap());
        same("norms on queries and keys", a.qkNorm(), b.qkNorm());
        same("sinks", a.sinks(), b.sinks());
        same("latent attention", a.latent(), b.latent());
        // Told as not carried.
        same("log-n scaling", arch == GgufArch.QWEN ? 0 : a.logitScaling(), b.logitScaling());
        if (arch.has(Trait.WINDOWS)) {
            same("sliding window", a.slidingWindow(), b.slidingWindow());
        }
        if (a.position() instanceof Rotary p && b.position() instanceof Rotary q) {
            same("rotary features", p.dims(), q.dims());
            if (!RotaryMetadata.same(p.scaling(), q.scaling(), p.dims())) {
                found.add("rotary scaling: " + p.scaling() + " would be read as " + q.scaling());
            }
        } else {
            same("positions", a.position(), b.position());
        }
    }

    private void feedForward(FeedForwardSpec a, FeedForwardSpec b) {
        // llama.cpp has one GELU, the tanh one, for both.
        if (!(GELUS.contains(a.activation()) && GELUS.contains(b.activation()))) {
            same("activation", a.activation(), b.activation());
        }
        same("gate", a.gated(), b.gated());
        near("clamp", a.clamp(), b.clamp());
        same("experts", a.experts().isPresent(), b.experts().isPresent());
        if (a.experts().isEmpty()) {
            same("feed-forward width", a.intermediate(), b.intermediate());
        } else if (b.experts().isPresent()) {
            experts(a.experts().get(), b.experts().get());
        }
    }

    private void experts(Experts a, Experts b) {
        same("experts", a.count(), b.count());
        same("experts a token", a.perToken(), b.perToken());
        same("width of experts", a.intermediate(), b.intermediate());
        same("width of shared experts", a.sharedIntermediate(), b.sharedIntermediate());
        same("gate of shared experts", a.sharedGate(), b.sharedGate());
        same("scores of experts", a.scoring(), b.scoring());
        same("normalized experts", a.normalize(), b.normalize());
        same("groups of experts", a.groups(), b.groups());
        if (a.groups() > 1) {
            // How groups are scored is told as not carried.
            same("groups kept", a.topGroups(), b.topGroups());
        }
        near("factor on experts", a.scaling(), b.scaling());
        same("correction of scores", a.correction(), b.correction());
    }

    private void same(String what, Object a, Object b) {
        if (!a.equals(b)) {
            found.add(what + ": " + a + " would be read as " + b);
        }
    }

    private void near(String what, float a, float b) {
        // A multiplier may have been rounded to the checkpoint's type (Gemma's root of the width).
        if (!(Math.abs(a - b) <= 0.005f * Math.abs(a))) {
            found.add(what + ": " + a + " would be read as " + b);
        }
    }
}
