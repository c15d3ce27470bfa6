package io.llmc4j.formats.export.gguf.mix;

import io.llmc4j.formats.export.gguf.block.GgmlType;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** File types by the names that llama.cpp's quantizer takes; {@link #id()} is {@code general.file_type}. */
public enum FileType {
    F32(0, GgmlType.F32),
    F16(1, GgmlType.F16),
    BF16(32, GgmlType.BF16),
    Q4_0(2, GgmlType.Q4_0),
    Q4_1(3, GgmlType.Q4_1),
    Q5_0(8, GgmlType.Q5_0),
    Q5_1(9, GgmlType.Q5_1),
    Q8_0(7, GgmlType.Q8_0),
    Q2_K(10, GgmlType.Q2_K),
    Q2_K_S(21, GgmlType.Q2_K),
    Q3_K_S(11, GgmlType.Q3_K),
    Q3_K_M(12, GgmlType.Q3_K),
    Q3_K_L(13, GgmlType.Q3_K),
    Q4_K_S(14, GgmlType.Q4_K),
    Q4_K_M(15, GgmlType.Q4_K),
    Q5_K_S(16, GgmlType.Q5_K),
    Q5_K_M(17, GgmlType.Q5_K),
    Q6_K(18, GgmlType.Q6_K),
    IQ1_S(24, GgmlType.IQ1_S),
    IQ1_M(31, GgmlType.IQ1_M),
    IQ2_XXS(19, GgmlType.IQ2_XXS),
    IQ2_XS(20, GgmlType.IQ2_XS),
    IQ2_S(28, GgmlType.IQ2_XS),
    IQ2_M(29, GgmlType.IQ2_S),
    IQ3_XXS(23, GgmlType.IQ3_XXS),
    IQ3_XS(22, GgmlType.IQ3_S),
    IQ3_S(26, GgmlType.IQ3_S),
    IQ3_M(27, GgmlType.IQ3_S),
    IQ4_NL(25, GgmlType.IQ4_NL),
    IQ4_XS(30, GgmlType.IQ4_XS),
    TQ1_0(36, GgmlType.TQ1_0),
    TQ2_0(37, GgmlType.TQ2_0),
    MXFP4_MOE(38, GgmlType.MXFP4);

    private final int id;
    private final GgmlType main;

    FileType(int id, GgmlType main) {
        this.id = id;
        this.main = main;
    }

    public int id() {
        return id;
    }

    /** The type of most tensors. */
    public GgmlType main() {
        return main;
    }

    /** Whether the mix has tensors that are not to be encoded without importance. */
    public boolean needsImportance() {
        return switch (this) {
            case Q2_K_S, IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ2_M, IQ3_XXS, IQ3_XS -> true;
            default -> false;
        };
    }

    /** By name in any case; "Q3_K", "Q4_K" and "Q5_K" mean their medium mixes, as there. */
    public static Optional<FileType> byName(String name) {
        String upper = name.toUpperCase(Locale.ROOT);
        String full = List.of("Q3_K", "Q4_K", "Q5_K").contains(upper) ? upper + "_M" : upper.equals("MXFP4") ? "MXFP4_MOE" : upper;
        return Arrays.stream(values()).filter(t -> t.name().equals(full)).findFirst();
    }

    /** By {@code general.file_type}. */
    public static Optional<FileType> byId(int id) {
        return Arrays.stream(values()).filter(t -> t.id == id).findFirst();
    }
}
