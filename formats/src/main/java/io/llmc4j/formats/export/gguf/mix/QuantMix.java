package io.llmc4j.formats.export.gguf.mix;

import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.formats.export.gguf.block.GgmlType;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * The type of each tensor of a file. Some rules count the tensors of a kind that came before, so tensors must be asked for in the order
 * of blocks, and inside a block by name.
 */
public final class QuantMix {

    private static final Set<FileType> TINY = EnumSet.of(FileType.IQ2_XXS, FileType.IQ2_XS, FileType.IQ2_S, FileType.IQ2_M, FileType.IQ1_S, FileType.IQ1_M);
    private static final Set<FileType> TINY_OR_IQ3_XXS = EnumSet.of(FileType.IQ2_XXS, FileType.IQ2_XS, FileType.IQ2_S, FileType.IQ2_M, FileType.IQ1_S,
            FileType.IQ1_M, FileType.IQ3_XXS);
    private static final Set<FileType> IQ4 = EnumSet.of(FileType.IQ4_NL, FileType.IQ4_XS);
    /** Mixes that give attention outputs of eight-expert models more bits. */
    private static final Set<FileType> RICH_OUTPUTS = EnumSet.of(FileType.Q2_K, FileType.IQ3_XS, FileType.IQ3_XXS, FileType.Q3_K_S, FileType.Q3_K_M,
            FileType.IQ4_NL, FileType.Q4_K_S, FileType.Q4_K_M, FileType.IQ3_S, FileType.IQ3_M, FileType.IQ4_XS);
    /** Parts of names of matrices that stay float. */
    private static final List<String> FLOAT_PARTS = List.of("_norm.weight", "ffn_gate_inp.weight", "position_embd.weight");

    private final FileType file;
    private final Facts facts;
    private final boolean importance;
    private int valuesSeen;
    private int downsSeen;

    /**
     * What the rules ask about the model.
     *
     * @param arch   llama.cpp's name
     * @param layers blocks
     * @param valueTensors tensors that hold values: one a block, none with split latent attention
     * @param grouped query heads for each key head
     * @param experts 0: dense
     * @param seventyBillion 80 blocks with grouped queries (llama), or 80 blocks (qwen2)
     * @param tied   the output is the embedding
     */
    public record Facts(String arch, int layers, int valueTensors, int grouped, int experts, boolean seventyBillion, boolean tied) { }

    /** @param importance whether there is an importance matrix */
    public QuantMix(FileType file, Facts facts, boolean importance) {
        this.file = file;
        this.facts = facts;
        this.importance = importance;
    }

    /** The tensor's type; F32 for vectors, norms and routers, and a type of smaller blocks where rows are no whole blocks. */
    public GgmlType type(String name, Shape shape) {
        if (shape.rank() < 2 || !name.endsWith("weight") || FLOAT_PARTS.stream().anyMatch(name::contains)) {
            return GgmlType.F32;
        }
        if (!file.main().quantized()) {
            return file.main();
        }
        TensorRole role = TensorRole.of(name);
        return fitting(mixed(role, name, shape), shape.dim(-1));
    }

    /** Whether llama.cpp's quantizer refuses this tensor without importance. */
    public boolean needsImportance(String name, GgmlType type) {
        if (name.equals("token_embd.weight") || name.equals("output.weight")) {
            return type.needsImportance();
        }
        return switch (type) {
            case IQ3_XXS, IQ2_XXS, IQ2_XS, IQ2_S, IQ1_M, IQ1_S -> true;
            case Q2_K -> file == FileType.Q2_K_S;
            default -> false;
        };
    }

    private static GgmlType fitting(GgmlType type, long cols) {
        if (type.fits(cols)) {
            return type;
        }
        GgmlType smaller = switch (type) {
            case IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S, IQ4_XS -> GgmlType.IQ4_NL;
            case Q2_K, Q3_K, TQ1_0, TQ2_0 -> GgmlType.Q4_0;
            case Q4_K -> GgmlType.Q5_0;
            case Q5_K -> GgmlType.Q5_1;
            case Q6_K -> GgmlType.Q8_0;
            default -> type;
        };
        return smaller.fits(cols) ? smaller : GgmlType.F16;
    }

    private GgmlType mixed(TensorRole role, String name, Shape shape) {
        if (role == TensorRole.OUTPUT || facts.tied() && role == TensorRole.EMBEDDING) {
            return output(shape.dim(-1));
        }
        if (file == FileType.MXFP4_MOE) {
            return shape.rank() > 2 && shape.dim(0) > 1 ? GgmlType.MXFP4 : GgmlType.Q8_0;
        }
        if (role == TensorRole.EMBEDDING) {
            return embedding();
        }
        if (TINY.contains(file)) {
            return tiny(role);
        }
        if (role.holdsValues()) {
            return values();
        }
        return switch (role) {
            case K -> facts.experts() == 8 ? GgmlType.Q8_0 : query();
            case Q -> query();
            case DOWN -> down(name);
            case ATTENTION_OUTPUT -> attentionOutput();
            case GATE, UP -> file == FileType.IQ3_XS && inTheMiddle(layer(name)) ? GgmlType.IQ3_XXS : file.main();
            default -> file.main();
        };
    }

    private GgmlType output(long cols) {
        if (file == FileType.MXFP4_MOE || facts.arch().equals("falcon") || !file.main().fits(cols)) {
            return GgmlType.Q8_0;
        }
        if (TINY_OR_IQ3_XXS.contains(file)) {
            return GgmlType.Q5_K;
        }
        return file.main() == GgmlType.Q8_0 ? GgmlType.Q8_0 : GgmlType.Q6_K;
    }

    private GgmlType embedding() {
        return switch (file) {
            case IQ2_XXS, IQ2_XS, IQ1_S, IQ1_M -> GgmlType.Q2_K;
            case IQ2_S, IQ2_M, IQ3_XXS -> GgmlType.IQ3_S;
            case TQ1_0, TQ2_0 -> GgmlType.Q4_K;
            default -> file.main();
        };
    }

    private GgmlType tiny(TensorRole role) {
        boolean two = file == FileType.IQ2_S || file == FileType.IQ2_M;
        if (role.holdsValues()) {
            valuesSeen++;
            return facts.grouped() >= 4 || facts.experts() >= 4 ? GgmlType.Q4_K : two ? GgmlType.IQ3_S : GgmlType.Q2_K;
        }
        if (facts.experts() == 8 && role == TensorRole.K) {
            return GgmlType.Q4_K;
        }
        if (role == TensorRole.DOWN) {
            return downsSeen++ < facts.layers() / 8 ? two ? GgmlType.IQ3_S : GgmlType.Q2_K : file.main();
        }
        if (role == TensorRole.ATTENTION_OUTPUT) {
            return facts.experts() == 8 ? GgmlType.Q5_K : file == FileType.IQ1_S || file == FileType.IQ1_M ? GgmlType.IQ2_XXS
                    : two ? GgmlType.IQ3_S : file.main();
        }
        return file.main();
    }

    private GgmlType values() {
        int i = valuesSeen++;
        boolean grouped = facts.grouped() >= 4;
        GgmlType type = switch (file) {
            case Q2_K -> grouped ? GgmlType.Q4_K : GgmlType.Q3_K;
            case Q2_K_S, IQ3_XS, IQ3_S -> grouped ? GgmlType.Q4_K : file.main();
            case IQ3_XXS -> grouped ? GgmlType.Q4_K : importance ? GgmlType.IQ3_XXS : GgmlType.IQ3_S;
            case IQ3_M -> GgmlType.Q4_K;
            case Q3_K_M -> i < 2 ? GgmlType.Q5_K : GgmlType.Q4_K;
            case Q3_K_L -> GgmlType.Q5_K;
            case IQ4_NL, IQ4_XS -> grouped ? GgmlType.Q5_K : file.main();
            case Q4_K_M, Q5_K_M -> moreBits(i, facts.valueTensors()) ? GgmlType.Q6_K : file.main();
            case Q4_K_S -> i < 4 ? GgmlType.Q5_K : file.main();
            default -> file.main();
        };
        if (facts.seventyBillion() && (type == GgmlType.Q3_K || type == GgmlType.Q4_K)) {
            type = GgmlType.Q5_K;
        }
        return facts.experts() == 8 ? GgmlType.Q8_0 : type;
    }

    private GgmlType query() {
        return switch (file) {
            case IQ3_XS -> GgmlType.IQ3_XXS;
            case IQ3_XXS -> GgmlType.IQ2_S;
            default -> file.main();
        };
    }

    private GgmlType down(String name) {
        int i = facts.experts() > 1 ? layer(name) : downsSeen;
        downsSeen++;
        int n = facts.layers();
        boolean falcon = facts.arch().equals("falcon");
        boolean early = i < n / 8;
        return switch (file) {
            case Q2_K -> GgmlType.Q3_K;
            case Q2_K_S -> early ? GgmlType.Q4_K : file.main();
            case IQ3_XXS -> importance ? file.main() : early ? GgmlType.Q4_K : GgmlType.Q3_K;
            case Q3_K_M -> i < n / 16 ? GgmlType.Q5_K : !falcon || moreBits(i, n) ? GgmlType.Q4_K : GgmlType.Q3_K;
            case IQ3_M -> early || facts.experts() == 8 && moreBits(i, n) ? GgmlType.Q4_K : file.main();
            case Q3_K_L -> falcon ? GgmlType.Q4_K : GgmlType.Q5_K;
            case Q4_K_M -> falcon && i < n / 16 ? GgmlType.Q6_K : !moreBits(i, n) ? GgmlType.Q4_K : falcon ? GgmlType.Q5_K : GgmlType.Q6_K;
            case Q5_K_M -> moreBits(i, n) ? GgmlType.Q6_K : file.main();
            case Q4_K_S -> early && !falcon ? GgmlType.Q5_K : file.main();
            case Q4_0 -> early && importance ? GgmlType.Q4_1 : file.main();
            case Q5_0 -> early && importance ? GgmlType.Q5_1 : file.main();
            default -> early && !importance && IQ4.contains(file) ? GgmlType.Q5_K : file.main();
        };
    }

    private GgmlType attentionOutput() {
        if (facts.arch().equals("falcon")) {
            return file == FileType.Q3_K_L ? GgmlType.Q4_K : file.main();
        }
        if (facts.experts() == 8) {
            return RICH_OUTPUTS.contains(file) ? GgmlType.Q5_K : file.main();
        }
        return switch (file) {
            case Q2_K -> GgmlType.Q3_K;
            case IQ3_XXS -> GgmlType.IQ3_S;
            case Q3_K_M, IQ3_M -> GgmlType.Q4_K;
            case Q3_K_L -> GgmlType.Q5_K;
            default -> file.main();
        };
    }

    /** The first and the last eighth, and every third between. */
    private static boolean moreBits(int i, int n) {
        return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
    }

    private boolean inTheMiddle(int i) {
        return i >= facts.layers() / 8 && i < 7 * facts.layers() / 8;
    }

    private static int layer(String name) {
        return Integer.parseInt(name.substring(4, name.indexOf('.', 4)));
    }
}
