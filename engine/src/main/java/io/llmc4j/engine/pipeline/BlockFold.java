package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.SpillingStateStore;
import io.llmc4j.engine.calibrate.StateStore;
import io.llmc4j.engine.calibrate.StoredInputs;
import io.llmc4j.engine.evaluate.EvaluationFlows;
import io.llmc4j.engine.evaluate.EvaluationResult;
import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.engine.method.Needs;
import io.llmc4j.engine.method.Stage;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.KvCache;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.tensor.Matrix;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/**
 * A compression run as a fold over blocks. Each block is read once, passed through the stages of all methods, handed to the sinks and
 * forgotten; calibration states and the windows of every evaluation flow beside it, so one block is in memory at a time.
 */
public final class BlockFold {

    private final ModelSource source;
    private final RunConfig config;
    private final List<ModelSink> sinks;
    private final RunListener listener;
    private final Recipe recipe;
    private final KvCaches caches;
    private final Map<String, Map<String, Matrix>> artifacts = new LinkedHashMap<>();
    private final List<RunSummary.LayerRow> rows = new ArrayList<>();

    /** Throws BadInput for what cannot run: methods, settings and data are checked here, before any block is read. */
    public BlockFold(ModelSource source, RunConfig config, List<ModelSink> sinks, RunListener listener) {
        this.source = source;
        this.config = config;
        this.sinks = List.copyOf(sinks);
        this.listener = listener;
        this.recipe = Recipe.of(config);
        this.caches = KvCaches.of(config);
    }

    /** Runs to the end. Sinks are finished when all went well; closing them is the caller's. */
    public RunSummary run() {
        long start = System.nanoTime();
        int blocks = source.spec().blocks();
        listener.started(config, blocks);
        Decoder decoder = new Decoder(source.spec());
        Passes passes = new Passes(decoder, caches::fresh);
        try (StateStore store = new SpillingStateStore(config.memory().stateBytes(), Path.of(System.getProperty("java.io.tmpdir")))) {
            FoldedModel model = new FoldedModel(source, config, new Passes(decoder, () -> KvCache.NONE), store, listener);
            for (Stage s : recipe.stages()) {
                s.prepare(model);
            }
            sinks.forEach(s -> s.ends(model.ends()));
            Flow flow = recipe.needsData() ? new Flow(model, store) : Flow.NONE;
            List<EvaluationResult> values;
            try (EvaluationFlows evaluations = new EvaluationFlows(passes.decoder(), source.ends(), model.ends(), config.evaluations(), store,
                    config.memory().chunkTokens(), new EvaluationFlows.Caches(caches::fresh, config.llmcCompatible()))) {
                for (int i = 0; i < blocks; i++) {
                    block(i, model, passes, store, flow, evaluations);
                }
                listener.phase("evaluating");
                values = evaluations.results(listener::evaluationDone);
            }
            List<ModelSink.Written> written = sinks.stream().map(ModelSink::finish).toList();
            return new RunSummary(values, rows, written, artifacts, model.notes(), List.copyOf(model.dropped()), seconds(start));
        }
    }

    /** The calibration states before and after the block at hand. */
    private static final class Flow {
        static final Flow NONE = new Flow();

        private Optional<StoredInputs> in = Optional.empty();
        private Optional<StoredInputs> out = Optional.empty();

        private Flow() {
        }

        Flow(FoldedModel model, StateStore store) {
            in = Optional.of(model.firstStates("calibration"));
            out = Optional.of(new StoredInputs(store.states("calibration"), model.spec().hiddenSize()));
        }

        void advance() {
            Optional<StoredInputs> swap = in;
            in = out;
            out = swap;
        }
    }

    private void block(int index, FoldedModel model, Passes passes, StateStore store, Flow flow, EvaluationFlows evaluations) {
        long start = System.nanoTime();
        int blocks = source.spec().blocks();
        listener.blockStarted(index, blocks);
        caches.beginBlock();
        Block block = source.block(index);
        evaluations.through(block, Position.PRETRAIN);
        if (model.dropped().contains(index)) {
            listener.note("block " + index + " is left out");
            listener.blockDone(index, blocks, seconds(start));
            return;
        }
        model.edit(block);
        FoldedBlock.Surroundings run = new FoldedBlock.Surroundings(config, schemes(), source.blockPrefix(index), passes, store, excludeFromStart(), artifacts, listener);
        boolean last = index + 1 == blocks;
        try (FoldedBlock work = new FoldedBlock(block, run, flow.in, flow.out)) {
            List<LayerResult> results = stages(work, flow, last);
            if (evaluations.any(Position.TRANSFORMED)) {
                block.linears().forEach(l -> l.setQuantized(false));
                evaluations.through(block, Position.TRANSFORMED);
                block.linears().forEach(l -> l.setQuantized(true));
            }
            evaluations.through(block, Position.FAKE_QUANT, Position.FAKE_QUANT_WITHOUT_KV);
            sinks.forEach(s -> s.block(block, results));
            if (config.quantOut() && flow.in.isPresent() && !last) {
                passes.run(block, flow.in.get(), flow.out.orElseThrow(), ForwardHooks.NONE);
            }
        }
        flow.advance();
        listener.blockDone(index, blocks, seconds(start));
    }

    private List<LayerResult> stages(FoldedBlock work, Flow flow, boolean last) {
        long start = System.nanoTime();
        Needs needs = recipe.floatPass();
        if (flow.in.isPresent() && (!config.quantOut() && !last || !needs.what().isEmpty() || caches.calibrates())) {
            caches.floatPass(() -> work.floatPass(needs));
            if (recipe.runsBlockAgain()) {
                caches.freeze(work.block().index());
            }
        }
        for (Stage stage : recipe.stages()) {
            work.begin(stage);
            listener.stageStarted(work.block().index(), stage.name());
            stage.apply(work);
        }
        if (config.schemes().hasStaticActivations()) {
            work.fixRemainingStaticRanges();
        }
        caches.freeze(work.block().index());
        List<Linear> linears = work.block().linears();
        double perWeight = seconds(start) / Math.max(1, Installations.weights(linears));
        int floatBits = source.ends().embedding().dtype().bits();
        List<LayerResult> results = new ArrayList<>();
        for (Linear l : linears) {
            work.installations().complete(l);
            LayerResult r = work.installations().result(l, floatBits, perWeight * l.in() * l.out());
            results.add(r);
            rows.add(new RunSummary.LayerRow(work.block().index(), r.fullName(), l.out(), l.in(), r.bits(), r.meanSquaredError(), r.relativeError(), r.seconds(),
                    r.notes()));
            listener.layerDone(r);
        }
        return results;
    }

    /**
     * Whether excluded layers are float from the start. LLMC excludes at deployment only, which does nothing when layers are quantized before
     * that (quant_out, true_sequential; ODD-24): then ours excludes from the start.
     */
    private boolean excludeFromStart() {
        return !config.llmcCompatible() && quantizesEarly();
    }

    private boolean quantizesEarly() {
        return config.quantOut() || recipe.runsBlockAgain();
    }

    /**
     * LLMC ignores mix_bits (ODD-25), and excluded layers are float in the end only if nothing quantized them early or an evaluation of the
     * transformed model put float layers back.
     */
    private SchemePlan schemes() {
        SchemePlan s = config.schemes();
        if (!config.llmcCompatible()) {
            return s;
        }
        boolean ineffective = quantizesEarly() && config.evaluations().stream().noneMatch(e -> e.positions().contains(Position.TRANSFORMED));
        return new SchemePlan(s.weight(), s.activation(), List.of(), ineffective ? IgnoredLayers.NONE : s.ignored());
    }

    private static double seconds(long start) {
        return (System.nanoTime() - start) * 1e-9;
    }
}
