package io.llmc4j.cli.run;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Settings that {@code quantize} gives a method when the user gives none: those of the configurations that LLMC ships for it. */
final class MethodDefaults {

    private MethodDefaults() {
    }

    /** Keys of {@code quant.special}. */
    static Map<String, Object> special(String method, boolean symmetric, boolean activations) {
        Map<String, Object> s = new LinkedHashMap<>();
        switch (method) {
            case "Awq" -> {
                s.put("trans", true);
                s.put("trans_version", "v2");
                s.put("weight_clip", true);
                s.put("clip_sym", symmetric);
            }
            case "GPTQ" -> {
                s.put("actorder", true);
                s.put("static_groups", true);
                s.put("percdamp", 0.01);
                s.put("blocksize", 128);
                s.put("true_sequential", true);
            }
            case "OWQ" -> {
                s.put("owq", true);
                s.put("actorder", false);
                s.put("static_groups", false);
                s.put("percdamp", 0.01);
                s.put("blocksize", 128);
                s.put("true_sequential", true);
                s.put("n_outs", List.of(6));
            }
            case "SmoothQuant" -> s.put("alpha", 0.5);
            case "OsPlus" -> s.put("true_sequential", true);
            case "OmniQuant" -> {
                s.put("aug_loss", false);
                s.put("lwc", true);
                s.put("let", activations);
                s.put("lwc_lr", 0.01);
                s.put("let_lr", 0.005);
                s.put("use_shift", false);
                s.put("alpha", 0.5);
                s.put("deactive_amp", true);
                s.put("epochs", 20);
                s.put("wd", 0);
            }
            case "TesseraQ" -> {
                s.put("lr", 0.0005);
                s.put("iterations", 250);
                s.put("wd", 0.0);
                s.put("batch_size", 2);
                s.put("deactive_amp", false);
                s.put("aug_loss", false);
                s.put("optimize_scale", true);
                s.put("scale_lr", 0.0005);
                s.put("thresholds", List.of(0.75, 0.5, 0.375, 0.25, 0.125, 0.09, 0.06, 0.04, 0.02, 0.005));
                s.put("load_transform", false);
                s.put("reduce_memory", true);
                s.put("weight_clip", true);
                s.put("clip_version", "v1");
            }
            case "HQQ" -> {
                s.put("axis", 0);
                s.put("lp_norm", 0.7);
                s.put("beta", 10);
                s.put("kappa", 1.01);
                s.put("iters", 20);
            }
            case "SpQR" -> {
                s.put("actorder", true);
                s.put("percdamp", 1);
                s.put("blocksize", 128);
                s.put("true_sequential", true);
                s.put("relative_threshold", 0.2);
                s.put("simplified_outliers", false);
                for (String level : List.of("scale", "zero")) {
                    s.put(level + ".bit", 3);
                    s.put(level + ".symmetric", false);
                    s.put(level + ".granularity", "per_group");
                    s.put(level + ".group_size", 16);
                    s.put(level + ".round_zp", false);
                }
            }
            case "QUIK" -> {
                s.put("fp_relative", false);
                s.put("fp_features", 256);
                s.put("fp_threshold", 0.0);
            }
            case "LlmInt8" -> s.put("threshold", 6.0);
            case "NormTweaking" -> {
                s.put("ntweak_lr", "1e-6");
                s.put("deactive_amp", activations);
                s.put("epochs", 50);
                s.put("gamma", 0.001);
            }
            case "Quarot" -> {
                s.put("rotate_mode", "hadamard");
                s.put("fp32_had", true);
                s.put("online_rotate", false);
            }
            default -> {
                // RTN, AdaDim, DGQ have none.
            }
        }
        return s;
    }

    /** Keys of {@code quant.weight} that a method wants otherwise than the rest. */
    static Map<String, Object> weight(String method) {
        Map<String, Object> w = new LinkedHashMap<>();
        switch (method) {
            case "OmniQuant", "TesseraQ" -> {
                w.put("calib_algo", "learnable");
                w.put("ste", true);
            }
            case "HQQ", "SpQR" -> w.put("round_zp", false);
            default -> {
                // Minimum and maximum, integer zero points.
            }
        }
        return w;
    }

    /** Whether the next block should see the quantized block's output. */
    static boolean quantOut(String method) {
        return List.of("Awq", "GPTQ", "OWQ", "OsPlus", "OmniQuant", "TesseraQ", "NormTweaking", "SpQR").contains(method);
    }
}
