package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.method.MethodOptions;
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
 */
public record RunConfig(List<MethodStep> methods, SchemePlan schemes, Optional<KvCacheScheme> kvCache, Optional<CalibrationSet> calibration,
                        boolean quantOut, List<Evaluation> evaluations, boolean llmcCompatible, long seed, Memory memory) {

    /**
     * Bounds of what waits between blocks and what flows through one at once.
     *
     * @param stateBytes  states and gathered inputs outside the heap; what is more goes to a temporary file
     * @param chunkTokens tokens that flow through a block together
     */
    public record Memory(long stateBytes, int chunkTokens) {
        public static final Memory DEFAULT = new Memory(4L << 30, 8192);
    }

    public RunConfig {
        methods = List.copyOf(methods);
        evaluations = List.copyOf(evaluations);
    }

    /** A method with its settings and one scheme plan; no calibration, no evaluation, our numbers, seed 0. Change what differs by the withers. */
    public static RunConfig of(String method, Map<String, Object> special, SchemePlan schemes) {
        return new RunConfig(List.of(new MethodStep(method, special)), schemes, Optional.empty(), Optional.empty(), false, List.of(), false, 0, Memory.DEFAULT);
    }

    public RunConfig withMethods(List<MethodStep> m) {
        return new RunConfig(m, schemes, kvCache, calibration, quantOut, evaluations, llmcCompatible, seed, memory);
    }

    public RunConfig withCalibration(CalibrationSet set) {
        return new RunConfig(methods, schemes, kvCache, Optional.of(set), quantOut, evaluations, llmcCompatible, seed, memory);
    }

    public RunConfig withKvCache(KvCacheScheme kv) {
        return new RunConfig(methods, schemes, Optional.of(kv), calibration, quantOut, evaluations, llmcCompatible, seed, memory);
    }

    public RunConfig withQuantOut(boolean on) {
        return new RunConfig(methods, schemes, kvCache, calibration, on, evaluations, llmcCompatible, seed, memory);
    }

    public RunConfig withEvaluations(List<Evaluation> list) {
        return new RunConfig(methods, schemes, kvCache, calibration, quantOut, list, llmcCompatible, seed, memory);
    }

    public RunConfig withCompat(boolean llmc) {
        return new RunConfig(methods, schemes, kvCache, calibration, quantOut, evaluations, llmc, seed, memory);
    }

    public RunConfig withSeed(long s) {
        return new RunConfig(methods, schemes, kvCache, calibration, quantOut, evaluations, llmcCompatible, s, memory);
    }

    public RunConfig withMemory(Memory m) {
        return new RunConfig(methods, schemes, kvCache, calibration, quantOut, evaluations, llmcCompatible, seed, m);
    }

    /** What a method's recipe is made from. */
    public MethodOptions options(MethodStep step) {
        return new MethodOptions(step.special(), schemes, quantOut, llmcCompatible);
    }
}
