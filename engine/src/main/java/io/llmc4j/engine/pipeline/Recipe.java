package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.method.Method;
import io.llmc4j.engine.method.MethodInfo;
import io.llmc4j.engine.method.Methods;
import io.llmc4j.engine.method.Need;
import io.llmc4j.engine.method.Needs;
import io.llmc4j.engine.method.OnlineRotation;
import io.llmc4j.engine.method.Stage;
import java.util.ArrayList;
import java.util.List;

/** The stages of all methods of a run, checked against it. */
record Recipe(List<Stage> stages, boolean needsData) {

    /** Throws BadInput when a method is not there or does not fit the run. */
    static Recipe of(RunConfig config) {
        List<Stage> stages = new ArrayList<>();
        boolean data = config.schemes().hasStaticActivations();
        for (MethodStep step : config.methods()) {
            Method m = Methods.named(step.name());
            stages.addAll(m.recipe(config.options(step)));
            data |= m.info().data() == MethodInfo.Data.ALWAYS;
            if (m.info().data() == MethodInfo.Data.ALWAYS && config.calibration().isEmpty()) {
                throw BadInput.of(BadInput.Common.CONFIG, "%s needs calibration data; add a calib section, or --calib", m.name());
            }
        }
        boolean rotates = config.methods().stream().anyMatch(s -> List.of("QuaRot", "SpinQuant").contains(Methods.named(s.name()).name()));
        if (!rotates && config.methods().stream().anyMatch(s -> Boolean.TRUE.equals(s.special().get(OnlineRotation.KEY)))) {
            stages.addFirst(new OnlineRotation());
        }
        boolean staticCache = config.kvCache().isPresent() && config.kvCache().get().scheme().isStatic();
        if (staticCache && config.calibration().isEmpty()) {
            throw new BadInput(BadInput.Common.CONFIG, "a static KV cache needs calibration data; add a calib section, or use a dynamic one");
        }
        data |= staticCache;
        if (data && config.calibration().isEmpty()) {
            throw new BadInput(BadInput.Common.CONFIG, "static activations need calibration data; add a calib section, or use dynamic ones");
        }
        stages.forEach(s -> s.check(config));
        List<String> again = stages.stream().filter(Stage::runsBlockAgain).map(Stage::name).toList();
        if (!again.isEmpty() && !config.quantOut() && !config.llmcCompatible()) {
            throw BadInput.of(BadInput.Common.CONFIG, "%s runs each block again on its inputs, which LLMC gets wrong when quant.quant_out is false "
                    + "(the block is fed its own outputs); set quant_out: true, or compat: llmc to get LLMC's number", String.join(", ", again));
        }
        return new Recipe(List.copyOf(stages), data);
    }

    boolean runsBlockAgain() {
        return stages.stream().anyMatch(Stage::runsBlockAgain);
    }

    /** What the float pass gathers: the first stage's needs, and whether any stage wants the float outputs. */
    Needs floatPass() {
        Needs first = stages.isEmpty() ? Needs.NOTHING : stages.getFirst().needs();
        if (stages.stream().noneMatch(s -> s.needs().what().contains(Need.FLOAT_OUTPUTS))) {
            return first;
        }
        List<Need> what = new ArrayList<>(first.what());
        what.add(Need.FLOAT_OUTPUTS);
        return new Needs(java.util.Set.copyOf(what), first.firstSubsetOnly());
    }
}
