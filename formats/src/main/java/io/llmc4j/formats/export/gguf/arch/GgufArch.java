package io.llmc4j.formats.export.gguf.arch;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.model.Norm;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * The architectures of llama.cpp that our families are, as data: name in the file, the families, norm, order of query and key rows,
 * activation, and what the architecture does of its own.
 */
public enum GgufArch {
    LLAMA("llama", List.of("llama", "mistral", "mixtral", "yi"), Norm.Kind.RMS, RotaryRows.PERMUTED, Activation.SILU, Trait.GATED, Trait.NORMALIZED_EXPERTS),
    QWEN("qwen", List.of("qwen"), Norm.Kind.RMS, RotaryRows.HALVES, Activation.SILU, Trait.GATED, Trait.FUSED_QKV, Trait.NEEDS_OUTPUT, Trait.DOUBLE_WIDTH),
    QWEN2("qwen2", List.of("qwen2"), Norm.Kind.RMS, RotaryRows.HALVES, Activation.SILU, Trait.GATED),
    QWEN2_MOE("qwen2moe", List.of("qwen2_moe"), Norm.Kind.RMS, RotaryRows.HALVES, Activation.SILU, Trait.GATED, Trait.NEEDS_OUTPUT),
    QWEN3("qwen3", List.of("qwen3"), Norm.Kind.RMS, RotaryRows.HALVES, Activation.SILU, Trait.GATED),
    QWEN3_MOE("qwen3moe", List.of("qwen3_moe"), Norm.Kind.RMS, RotaryRows.HALVES, Activation.SILU, Trait.GATED, Trait.NORMALIZED_EXPERTS),
    GEMMA("gemma", List.of("gemma"), Norm.Kind.RMS, RotaryRows.HALVES, Activation.GELU_TANH, Trait.GATED, Trait.ROOT_WIDTH, Trait.TIED),
    GEMMA2("gemma2", List.of("gemma2"), Norm.Kind.RMS, RotaryRows.HALVES, Activation.GELU_TANH, Trait.GATED, Trait.ROOT_WIDTH, Trait.TIED,
            Trait.SOFT_CAPS, Trait.WINDOWS),
    GEMMA3("gemma3", List.of("gemma3", "gemma3_text"), Norm.Kind.RMS, RotaryRows.HALVES, Activation.GELU_TANH, Trait.GATED, Trait.ROOT_WIDTH,
            Trait.SOFT_CAPS, Trait.WINDOWS, Trait.WINDOW_BASE),
    PHI2("phi2", List.of("phi"), Norm.Kind.LAYER, RotaryRows.HALVES, Activation.GELU_TANH, Trait.PARALLEL, Trait.NEEDS_OUTPUT),
    PHI3("phi3", List.of("phi3"), Norm.Kind.RMS, RotaryRows.HALVES, Activation.SILU, Trait.GATED, Trait.FUSED_QKV, Trait.FUSED_GATE_UP),
    STARCODER("starcoder", List.of("starcoder", "gpt_bigcode"), Norm.Kind.LAYER, RotaryRows.NONE, Activation.GELU_TANH, Trait.FUSED_QKV, Trait.POSITIONS),
    STARCODER2("starcoder2", List.of("starcoder2"), Norm.Kind.LAYER, RotaryRows.HALVES, Activation.GELU_TANH),
    STABLELM("stablelm", List.of("stablelm"), Norm.Kind.LAYER, RotaryRows.HALVES, Activation.SILU, Trait.GATED, Trait.PARALLEL_WITHOUT_NORM,
            Trait.NEEDS_OUTPUT),
    BLOOM("bloom", List.of("bloom"), Norm.Kind.LAYER, RotaryRows.NONE, Activation.GELU_TANH, Trait.FUSED_QKV, Trait.ALIBI),
    FALCON("falcon", List.of("falcon"), Norm.Kind.LAYER, RotaryRows.HALVES, Activation.GELU_TANH, Trait.FUSED_QKV, Trait.PARALLEL),
    GPT2("gpt2", List.of("gpt2"), Norm.Kind.LAYER, RotaryRows.NONE, Activation.GELU_TANH, Trait.FUSED_QKV, Trait.POSITIONS),
    GPT_NEOX("gptneox", List.of("gpt_neox"), Norm.Kind.LAYER, RotaryRows.HALVES, Activation.GELU_TANH, Trait.FUSED_QKV, Trait.PARALLEL_BY_KEY,
            Trait.NEEDS_OUTPUT),
    INTERNLM2("internlm2", List.of("internlm2"), Norm.Kind.RMS, RotaryRows.PERMUTED, Activation.SILU, Trait.GATED, Trait.NEEDS_OUTPUT),
    MINICPM("minicpm", List.of("minicpm"), Norm.Kind.RMS, RotaryRows.PERMUTED, Activation.SILU, Trait.GATED, Trait.SCALES, Trait.LOGIT_DIVISOR),
    DEEPSEEK2("deepseek2", List.of("deepseek_v2", "deepseek_v3"), Norm.Kind.RMS, RotaryRows.INTERLEAVED, Activation.SILU, Trait.GATED, Trait.LATENT),
    GPT_OSS("gpt-oss", List.of("gpt_oss"), Norm.Kind.RMS, RotaryRows.HALVES, Activation.SILU, Trait.GATED, Trait.GPT_OSS, Trait.WINDOWS,
            Trait.NEEDS_OUTPUT),
    OLMO2("olmo2", List.of("olmo2", "olmo3"), Norm.Kind.RMS, RotaryRows.HALVES, Activation.SILU, Trait.GATED, Trait.NO_INPUT_NORMS, Trait.WINDOWS,
            Trait.NEEDS_OUTPUT),
    COMMAND_R("command-r", List.of("cohere"), Norm.Kind.LAYER, RotaryRows.INTERLEAVED, Activation.SILU, Trait.GATED, Trait.PARALLEL, Trait.TIED,
            Trait.LOGIT_FACTOR),
    COHERE2("cohere2", List.of("cohere2"), Norm.Kind.LAYER, RotaryRows.INTERLEAVED, Activation.SILU, Trait.GATED, Trait.PARALLEL, Trait.TIED,
            Trait.LOGIT_FACTOR, Trait.WINDOWS, Trait.ROTARY_IN_WINDOWS_ONLY),
    GRANITE("granite", List.of("granite"), Norm.Kind.RMS, RotaryRows.PERMUTED, Activation.SILU, Trait.GATED, Trait.SCALES, Trait.LOGIT_DIVISOR,
            Trait.ATTENTION_SCALE),
    GLM4("glm4", List.of("glm4"), Norm.Kind.RMS, RotaryRows.INTERLEAVED, Activation.SILU, Trait.GATED, Trait.FUSED_GATE_UP),
    CHATGLM("chatglm", List.of("glm", "chatglm"), Norm.Kind.RMS, RotaryRows.INTERLEAVED, Activation.SILU, Trait.GATED, Trait.FUSED_GATE_UP),
    SMOLLM3("smollm3", List.of("smollm3"), Norm.Kind.RMS, RotaryRows.PERMUTED, Activation.SILU, Trait.GATED, Trait.FOURTH_WITHOUT_POSITIONS);

    /** How the rows of queries and keys stand in the file, and in the family's checkpoints. */
    enum RotaryRows {
        /** Pairs are halves of a head, in both. */
        HALVES,
        /** Pairs are neighbours, in both. */
        INTERLEAVED,
        /** Pairs are neighbours in the file, halves in checkpoints. */
        PERMUTED,
        /** No rotary positions. */
        NONE
    }

    private final String title;
    private final List<String> families;
    private final Norm.Kind norm;
    private final RotaryRows rows;
    private final Activation activation;
    private final Set<Trait> traits;

    GgufArch(String title, List<String> families, Norm.Kind norm, RotaryRows rows, Activation activation, Trait... traits) {
        this.title = title;
        this.families = families;
        this.norm = norm;
        this.rows = rows;
        this.activation = activation;
        this.traits = traits.length == 0 ? EnumSet.noneOf(Trait.class) : EnumSet.copyOf(Arrays.asList(traits));
    }

    /** {@code general.architecture}. */
    public String title() {
        return title;
    }

    /** Our families that are this one. */
    public List<String> families() {
        return families;
    }

    Norm.Kind norm() {
        return norm;
    }

    RotaryRows rows() {
        return rows;
    }

    Activation activation() {
        return activation;
    }

    boolean has(Trait t) {
        return traits.contains(t);
    }

    /** A metadata key of this architecture. */
    String key(String name) {
        return title + "." + name;
    }

    /** The architecture of a family; refused when llama.cpp has none. */
    public static GgufArch ofFamily(String family) {
        String name = normalized(family);
        return Arrays.stream(values()).filter(a -> a.families.stream().anyMatch(f -> normalized(f).equals(name))).findFirst()
                .orElseThrow(() -> BadInput.of(BadInput.Common.FORMAT, "GGUF: llama.cpp has no architecture for the family %s", family));
    }

    public static Optional<GgufArch> byTitle(String title) {
        return Arrays.stream(values()).filter(a -> a.title.equals(title)).findFirst();
    }

    private static String normalized(String family) {
        return family.toLowerCase(Locale.ROOT).replace("_", "").replace("-", "");
    }
}
