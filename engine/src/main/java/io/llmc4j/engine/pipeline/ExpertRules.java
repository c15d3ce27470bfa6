package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Role;
import java.util.Set;

/**
 * What a run does with mixtures of experts.
 *
 * @param uncalibrated   what becomes of an expert that no calibration token reached
 * @param calibrateAll   gathers with every token through every expert; what flows on is still the sum of the chosen ones
 * @param quantizeRouters routers and gates of shared experts are quantized like other layers
 */
public record ExpertRules(Uncalibrated uncalibrated, boolean calibrateAll, boolean quantizeRouters) {

    /** Ours: rounded to nearest, tokens go where the router sends them, routers stay float. */
    public static final ExpertRules DEFAULT = new ExpertRules(Uncalibrated.RTN, false, false);

    /** Routers that LLMC leaves alone: there they are parameters of a module of their own, not linear modules. */
    private static final Set<String> PARAMETERS_IN_LLMC = Set.of("deepseek_v2", "deepseek_v3", "gpt_oss");

    public enum Uncalibrated {
        /** The run ends, naming the experts. */
        ERROR,
        /**
         * The expert is calibrated on the tokens of another one: of those that saw any, the one whose router row points most nearly the same way (largest
         * cosine; the lower index among equals). Those tokens pass through the expert for its statistics only.
         */
        NEAREST,
        /** Its layers are rounded without data, and the report says so. */
        RTN
    }

    /**
     * Refuses, for a stage that learns nothing from an expert's own inputs, what cannot be done there. Throws BadInput (NOT_SUPPORTED).
     *
     * @param why one clause: what the stage learns from
     */
    public void refuseOtherTokens(String stage, String why) {
        String asked = calibrateAll ? "calibrate_all (--calibrate-all-experts)" : uncalibrated == Uncalibrated.NEAREST ? "uncalibrated: nearest (--uncalibrated-experts nearest)" : "";
        if (!asked.isEmpty()) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "%s %s, so experts' %s cannot be kept; use --uncalibrated-experts rtn or error, or another method", stage, why,
                    asked);
        }
    }

    /** Whether a layer of this role stays float because it routes. Under {@code compat: llmc} those that LLMC quantizes do not (ODD-23). */
    public boolean leaves(Role role, String family, boolean llmcCompatible) {
        boolean inLlmc = llmcCompatible && !PARAMETERS_IN_LLMC.contains(family);
        return role.isRouter() && !quantizeRouters && !inLlmc;
    }
}
