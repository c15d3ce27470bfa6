package io.llmc4j.cli.config;

import java.util.List;

/**
 * What people want to know of a method before they choose it.
 *
 * @param name    LLMC's name
 * @param title   the paper's name
 * @param paper   arXiv number, or where it was published
 * @param stage   which question it answers: transform, clip, round, keep, learn
 * @param needs   what it has to be given: nothing, calibration text, calibration text and gradients
 * @param weights weight formats that it makes sense for
 * @param acts    activations that it makes sense for
 * @param use     when to use it
 */
public record MethodCard(String name, String title, String paper, String stage, String needs, String weights, String acts, String use) {

    private static final String NOTHING = "nothing";
    private static final String TEXT = "text";
    private static final String GRADIENTS = "text, gradients";

    private static final List<MethodCard> ALL = List.of(
            new MethodCard("RTN", "round to nearest", "-", "round", NOTHING, "int, float, 48", "any",
                    "8 bits, or the yardstick for everything else; static activations need text"),
            new MethodCard("Awq", "AWQ", "2306.00978", "transform, clip", TEXT, "int, float", "none or any", "the usual choice for 4-bit weights"),
            new MethodCard("GPTQ", "GPTQ", "2210.17323", "round", TEXT, "int, float", "none or any", "4 bits and below; follows its calibration text closely"),
            new MethodCard("SmoothQuant", "SmoothQuant", "2211.10438", "transform", TEXT, "int8, fp8", "int8, fp8", "8-bit weights and activations with outliers"),
            new MethodCard("OsPlus", "Outlier Suppression+", "2304.09145", "transform", TEXT, "int, float", "int8, int6", "activations whose outliers are shifted to one side"),
            new MethodCard("OmniQuant", "OmniQuant", "2308.13137", "transform, clip", GRADIENTS, "int, float", "none or int", "3 and 2 bits when hours are to spare"),
            new MethodCard("TesseraQ", "TesseraQ", "2410.19103", "round", GRADIENTS, "int", "none", "the last bit of accuracy at 2 to 4 bits, after AWQ"),
            new MethodCard("HQQ", "half-quadratic quantization", "mobiusml.github.io/hqq_blog, 2023", "round", NOTHING, "int", "none", "4 bits in minutes, without any text"),
            new MethodCard("SpQR", "SpQR", "2306.03078", "round, keep", TEXT, "int, small groups", "none", "near-lossless 3 to 4 bits, if outliers may be stored apart"),
            new MethodCard("DGQ", "dual-grained quantization", "2310.04836", "round", TEXT, "4 over 8 bits", "int8", "4-bit weights that compute as 8-bit integers"),
            new MethodCard("QUIK", "QUIK", "2310.09259", "round, keep", TEXT, "int4, int8, float", "int4, int8", "4-bit activations with some columns in float"),
            new MethodCard("LlmInt8", "LLM.int8()", "2208.07339", "keep", NOTHING, "int8", "int8", "8 bits with outlier channels computed in float"),
            new MethodCard("NormTweaking", "Norm Tweaking", "2309.02784", "transform", GRADIENTS, "int, float", "none or int", "repairs norms after rounding"),
            new MethodCard("AdaDim", "AdaDim", "2309.15531", "round", TEXT, "int, float", "none", "picks the grouping axis layer by layer"),
            new MethodCard("Quarot", "QuaRot", "2404.00456", "transform", NOTHING, "int, float", "int8, int4", "4-bit activations: rotates outliers away"),
            new MethodCard("SpinQuant", "SpinQuant", "2405.16406", "transform", GRADIENTS, "int, float", "int8, int4", "like QuaRot with learnt rotations"),
            new MethodCard("OWQ", "OWQ", "2306.02272", "round, keep", TEXT, "int, float", "none", "GPTQ with the weakest columns in float"),
            new MethodCard("Magnitude", "magnitude pruning", "-", "prune", NOTHING, "-", "-", "the yardstick of pruning"),
            new MethodCard("Wanda", "Wanda", "2306.11695", "prune", TEXT, "-", "-", "half of the weights away, or 2 of 4"),
            new MethodCard("ShortGPT", "ShortGPT", "2403.03853", "prune", TEXT, "-", "-", "whole blocks away"));

    public static List<MethodCard> all() {
        return ALL;
    }

    /** By LLMC's name, which has to be one. */
    public static MethodCard of(String name) {
        return ALL.stream().filter(c -> c.name().equals(name)).findFirst().orElseThrow(() -> new IllegalArgumentException(name));
    }

    public boolean needsNothing() {
        return needs.equals(NOTHING);
    }
}
