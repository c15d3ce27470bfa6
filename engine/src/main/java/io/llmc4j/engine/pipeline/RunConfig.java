package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.method.MethodOptions;
import io.llmc4j.engine.model.InnerRounding;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.quant.Quantizer;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One compression run as data, whatever it was read from.
 *
 * @param methods        in order; their recipes are joined
 * @param kvCache        empty: keys and values stay float
 * @param calibration    empty: methods that need none
 * @param quantOut       the next block sees the quantized block's output, not the float one's
 * @param llmcCompatible LLMC's number for every oddity
 * @param seed           of every random draw
 * @param memory         what the fold may hold
 * @param experts        of mixtures
 * @param sites          where else activations are rounded
 */
public record RunConfig(List<MethodStep> methods, SchemePlan schemes, Optional<KvCacheScheme> kvCache, Optional<CalibrationSet> calibration,
                        boolean quantOut, List<Evaluation> evaluations, boolean llmcCompatible, long seed, Memory memory, ExpertRules experts, InnerSites sites) {

    /**
     * Bounds of what waits between blocks and what flows through one at once.
     *
     * @param stateBytes  states and gathered inputs outside the heap; what is more goes to a temporary file
     * @param chunkTokens tokens that flow through a block together
     */
    public record Memory(long stateBytes, int chunkTokens) {
        public static final Memory DEFAULT = new Memory(4L << 30, 2048);
    }

    public RunConfig {
        methods = List.copyOf(methods);
        evaluations = List.copyOf(evaluations);
    }

    /** A method with its settings and one scheme plan; no calibration, no evaluation, our numbers, seed 0. Change what differs by the withers. */
    public static RunConfig of(String method, Map<String, Object> special, SchemePlan schemes) {
        return new RunConfig(List.of(new MethodStep(method, special)), schemes, Optional.empty(), Optional.empty(), false, List.of(), false, 0, Memory.DEFAULT,
                ExpertRules.DEFAULT, InnerSites.NONE);
    }

    public RunConfig withMethods(List<MethodStep> m) {
        return new RunConfig(m, schemes, kvCache, calibration, quantOut, evaluations, llmcCompatible, seed, memory, experts, sites);
    }

    public RunConfig withSchemes(SchemePlan plan) {
        return new RunConfig(methods, plan, kvCache, calibration, quantOut, evaluations, llmcCompatible, seed, memory, experts, sites);
    }

    public RunConfig withCalibration(CalibrationSet set) {
        return new RunConfig(methods, schemes, kvCache, Optional.of(set), quantOut, evaluations, llmcCompatible, seed, memory, experts, sites);
    }

    public RunConfig withKvCache(KvCacheScheme kv) {
        return new RunConfig(methods, schemes, Optional.of(kv), calibration, quantOut, evaluations, llmcCompatible, seed, memory, experts, sites);
    }

    public RunConfig withQuantOut(boolean on) {
        return new RunConfig(methods, schemes, kvCache, calibration, on, evaluations, llmcCompatible, seed, memory, experts, sites);
    }

    public RunConfig withEvaluations(List<Evaluation> list) {
        return new RunConfig(methods, schemes, kvCache, calibration, quantOut, list, llmcCompatible, seed, memory, experts, sites);
    }

    public RunConfig withCompat(boolean llmc) {
        return new RunConfig(methods, schemes, kvCache, calibration, quantOut, evaluations, llmc, seed, memory, experts, sites);
    }

    public RunConfig withSeed(long s) {
        return new RunConfig(methods, schemes, kvCache, calibration, quantOut, evaluations, llmcCompatible, s, memory, experts, sites);
    }

    public RunConfig withMemory(Memory m) {
        return new RunConfig(methods, schemes, kvCache, calibration, quantOut, evaluations, llmcCompatible, seed, m, experts, sites);
    }

    public RunConfig withExperts(ExpertRules rules) {
        return new RunConfig(methods, schemes, kvCache, calibration, quantOut, evaluations, llmcCompatible, seed, memory, rules, sites);
    }

    public RunConfig withSites(InnerSites where) {
        return new RunConfig(methods, schemes, kvCache, calibration, quantOut, evaluations, llmcCompatible, seed, memory, experts, where);
    }

    /**
     * How one layer is quantized when excluded layers are float from the start.
     *
     * @param name     within its block
     * @param fullName in the model
     */
    public LayerScheme scheme(String family, int block, Role role, String name, String fullName) {
        return experts.leaves(role, family, llmcCompatible) ? LayerScheme.FLOAT : schemes.layer(block, name, fullName, true);
    }

    /** What blocks round besides the inputs of their layers; throws BadInput (CONFIG) for activations that are not rounded row by row as they come. */
    public Optional<InnerRounding> innerRounding() {
        return sites.any() ? schemes.activation().map(a -> new InnerRounding(Quantizer.of(a, llmcCompatible), sites.attention(), sites.softmax(), sites.function()))
                : Optional.empty();
    }

    /**
     * Whether a pass over a block that is run again goes on from what an earlier one left inside the block. Not where a cache of keys and values or a rounding inside
     * attention may remember what it saw.
     */
    public boolean passesGoOn() {
        return kvCache.isEmpty() && innerRounding().isEmpty();
    }

    /** What a method's recipe is made from. */
    public MethodOptions options(MethodStep step) {
        return new MethodOptions(step.special(), schemes, quantOut, llmcCompatible);
    }
}
