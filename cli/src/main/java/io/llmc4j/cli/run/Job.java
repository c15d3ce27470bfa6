package io.llmc4j.cli.run;

import io.llmc4j.cli.config.LlmcConfig;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.ModelShape;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A run that has passed every check and has not begun.
 *
 * @param model   empty for a plan of a model whose weights are not there
 * @param layers  every linear layer, with its scheme
 * @param target  empty: every layer's width is in its scheme already
 * @param data    what was read, one line each
 * @param notices what the user should know before it starts
 */
public record Job(LlmcConfig config, ModelShape shape, Optional<HfModel> model, RunConfig run, List<PlannedRunLayer> layers, Optional<BitTarget> target,
                  List<Outputs.Target> targets, Optional<Path> reportDirectory, List<String> data, List<String> notices) implements AutoCloseable {

    @Override
    public void close() {
        model.ifPresent(HfModel::close);
    }

    /** The same with a bound on its memory, "6g"; throws BadInput when it cannot fit. */
    public Job within(String memory) {
        RunConfig.Memory m = MemoryNeed.under(this, MemoryNeed.parse(memory));
        return new Job(config, shape, model, run.withMemory(m), layers, target, targets, reportDirectory, data, notices);
    }

    /** Bits of a stored weight of a layer; where its width is still to be chosen, those of the target. */
    double bits(PlannedRunLayer l) {
        return target.isPresent() && l.scheme().quantized() ? target.get().average() : l.bits();
    }

    /** The same with a width chosen for each layer. */
    Job with(SchemePlan chosen) {
        HfModel m = model.orElseThrow();
        List<PlannedRunLayer> planned = PlannedRunLayer.of(shape, chosen, config.experts(), config.compat(), m::blockPrefix);
        return new Job(config, shape, model, run.withSchemes(chosen), planned, Optional.empty(), targets, reportDirectory, data, notices);
    }

    public String methodNames() {
        return String.join(" + ", run.methods().stream().map(m -> m.name()).toList());
    }
}
