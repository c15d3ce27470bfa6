package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.SpillingStateStore;
import io.llmc4j.engine.calibrate.StateStore;
import io.llmc4j.engine.calibrate.StoredInputs;
import io.llmc4j.engine.evaluate.EvaluationFlows;
import io.llmc4j.engine.evaluate.EvaluationResult;
import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.engine.journal.Boundary;
import io.llmc4j.engine.journal.CarriedStates;
import io.llmc4j.engine.journal.RunJournal;
import io.llmc4j.engine.method.Need;
import io.llmc4j.engine.method.Needs;
import io.llmc4j.engine.method.Stage;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.KvCache;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.NonFiniteWeight;
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
    private Optional<RunJournal> journal = Optional.empty();
    private int at;

    /** Throws BadInput for what cannot run: methods, settings and data are checked here, before any block is read. */
    public BlockFold(ModelSource source, RunConfig config, List<ModelSink> sinks, RunListener listener) {
        this.source = source;
        this.config = config;
        this.sinks = List.copyOf(sinks);
        this.listener = listener;
        this.recipe = Recipe.of(config);
        this.caches = KvCaches.of(config);
    }

    /** The run is taken down in a journal, and goes on where that stands. All sinks must be {@link ResumableSink}s. */
    public BlockFold withJournal(RunJournal j) {
        journal = Optional.of(j);
        return this;
    }

    /**
     * Runs to the end. Sinks are finished when all went well; closing them is the caller's. Throws BadInput (CHANGED, UNREADABLE) when the model's files
     * change meanwhile.
     */
    public RunSummary run() {
        try {
            return runBlocks();
        } catch (NonFiniteWeight e) {
            throw new BadInput(BadInput.Common.MODEL, source.blockPrefix(at) + "." + e.layer() + ": " + e.getMessage() + "; the model is damaged: get it again", e);
        } catch (InternalError e) {
            // How the virtual machine tells that a mapped file has become shorter than its mapping.
            source.checkUnchanged();
            throw e;
        }
    }

    private RunSummary runBlocks() {
        long start = System.nanoTime();
        int blocks = source.spec().blocks();
        listener.started(config, blocks);
        Decoder decoder = new Decoder(source.spec());
        Passes passes = new Passes(decoder, caches::fresh);
        Path scratch = journal.map(RunJournal::scratch).orElse(Path.of(System.getProperty("java.io.tmpdir")));
        try (StateStore store = new SpillingStateStore(config.memory().stateBytes(), scratch)) {
            FoldedModel model = new FoldedModel(source, config, new Passes(decoder, () -> KvCache.NONE), store, listener);
            for (Stage s : recipe.stages()) {
                s.prepare(model);
            }
            Optional<Boundary> from = journal.flatMap(RunJournal::boundary);
            if (from.isEmpty()) {
                sinks.forEach(s -> s.ends(model.ends()));
            }
            CarriedStates carried = new CarriedStates(store);
            Flow flow = recipe.needsData() ? new Flow(model, store) : Flow.NONE;
            List<EvaluationResult> values;
            try (EvaluationFlows evaluations = new EvaluationFlows(passes.decoder(), source.ends(), model.ends(), config.evaluations(), store,
                    config.memory().chunkTokens(), new EvaluationFlows.Caches(caches::fresh, config.llmcCompatible()))) {
                from.ifPresent(b -> resume(b, model, flow, evaluations, carried));
                for (int i = from.map(Boundary::blocksDone).orElse(0); i < blocks; i++) {
                    source.checkUnchanged();
                    block(i, model, new Stores(passes, store, carried), flow, evaluations);
                    save(i + 1, flow, evaluations, carried);
                    source.release();
                }
                source.checkUnchanged();
                listener.phase("evaluating");
                values = evaluations.results(listener::evaluationDone);
            }
            List<ModelSink.Written> written = finish(from);
            return new RunSummary(values, rows, written, artifacts, model.notes(), List.copyOf(model.dropped()), seconds(start));
        }
    }

    private record Stores(Passes passes, StateStore store, CarriedStates carried) { }

    /** Takes up a run at a boundary: states, report rows, sinks. */
    private void resume(Boundary b, FoldedModel model, Flow flow, EvaluationFlows evaluations, CarriedStates carried) {
        listener.resumed(b.blocksDone(), source.spec().blocks());
        RunJournal j = journal.orElseThrow();
        boolean more = b.blocksDone() < source.spec().blocks();
        j.restore(lists(flow, evaluations, more), carried, artifacts);
        rows.addAll(b.rows());
        for (int i = 0; i < sinks.size(); i++) {
            if (b.prepared()) {
                resumable(i).resumeCommit(model.ends(), b.marks().get(i));
            } else {
                resumable(i).resume(model.ends(), b.marks().get(i));
            }
        }
    }

    private ResumableSink resumable(int sink) {
        if (sinks.get(sink) instanceof ResumableSink r) {
            return r;
        }
        throw new IllegalArgumentException(sinks.get(sink).getClass() + " cannot be resumed, and the run has a journal");
    }

    /** The states that wait at a boundary, by name. Behind the last block those of the evaluations alone. */
    private static Map<String, StateStore.States> lists(Flow flow, EvaluationFlows evaluations, boolean more) {
        Map<String, StateStore.States> lists = new LinkedHashMap<>(evaluations.states());
        if (more && flow.in.isPresent()) {
            lists.put("calibration", flow.in.get().states());
        }
        return lists;
    }

    private void save(int blocksDone, Flow flow, EvaluationFlows evaluations, CarriedStates carried) {
        if (journal.isEmpty() || !journal.get().due(blocksDone)) {
            return;
        }
        journal.get().save(blocksDone, rows, marks(), lists(flow, evaluations, blocksDone < source.spec().blocks()), carried, artifacts);
        listener.saved(blocksDone);
    }

    private List<String> marks() {
        List<String> marks = new ArrayList<>();
        for (int i = 0; i < sinks.size(); i++) {
            marks.add(resumable(i).mark());
        }
        return marks;
    }

    /** With a journal, all sinks are prepared before the first one appears. */
    private List<ModelSink.Written> finish(Optional<Boundary> from) {
        if (journal.isEmpty()) {
            return sinks.stream().map(ModelSink::finish).toList();
        }
        List<ModelSink.Written> written = new ArrayList<>(from.map(Boundary::written).orElse(List.of()));
        if (written.isEmpty() && !sinks.isEmpty()) {
            for (int i = 0; i < sinks.size(); i++) {
                written.add(resumable(i).prepare());
            }
            journal.get().prepared(marks(), written);
        }
        for (int i = 0; i < sinks.size(); i++) {
            resumable(i).commit();
        }
        return written;
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

    private void block(int index, FoldedModel model, Stores stores, Flow flow, EvaluationFlows evaluations) {
        long start = System.nanoTime();
        int blocks = source.spec().blocks();
        listener.blockStarted(index, blocks);
        at = index;
        caches.beginBlock();
        Block block = source.block(index);
        Soundness.requireFinite(block, source.blockPrefix(index));
        evaluations.through(block, Position.PRETRAIN);
        if (model.dropped().contains(index)) {
            listener.note("block " + index + " is left out");
            listener.blockDone(index, blocks, seconds(start));
            return;
        }
        model.edit(block);
        config.innerRounding().ifPresent(block::setInnerRounding);
        FoldedBlock.Surroundings run = new FoldedBlock.Surroundings(config, schemes(), source.blockPrefix(index), stores.passes(), stores.store(), stores.carried(), excludeFromStart(), artifacts, listener);
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
            if (results instanceof StreamedResults streamed) {
                streamed.finish();
            }
            caches.params(index).ifPresent(p -> sinks.forEach(s -> s.kvCache(block, config.kvCache().orElseThrow(), p)));
            if (config.quantOut() && flow.in.isPresent() && !last) {
                work.outputs();
            }
        }
        flow.advance();
        listener.blockDone(index, blocks, seconds(start));
    }

    private List<LayerResult> stages(FoldedBlock work, Flow flow, boolean last) {
        long start = System.nanoTime();
        Needs needs = recipe.floatPass();
        // the tokens of experts are counted, whether or not a stage looks at them
        boolean counted = work.block().spec().feedForward().experts().isPresent();
        // LLMC feeds a block its own outputs
        boolean outputs = !config.quantOut() && (!last || config.llmcCompatible()) || needs.what().contains(Need.FLOAT_OUTPUTS) || caches.calibrates() || counted;
        if (flow.in.isPresent() && (outputs || !needs.what().isEmpty())) {
            caches.floatPass(() -> work.floatPass(needs, outputs));
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
        StreamedResults results = new StreamedResults(linears, l -> {
            work.installations().complete(l);
            String seen = work.experts().note(l);
            if (!seen.isEmpty()) {
                work.note(l, seen);
            }
            return work.installations().result(l, floatBits, perWeight * l.in() * l.out());
        }, r -> {
            rows.add(new RunSummary.LayerRow(work.block().index(), r.fullName(), r.layer().out(), r.layer().in(), r.bits(), r.meanSquaredError(), r.relativeError(),
                    r.seconds(), r.notes()));
            listener.layerDone(r);
        }, source::release);
        return oneAtATime(flow) ? results : results.together();
    }

    /** Where no pass runs over the rounded block, its layers need not be in memory together. */
    private boolean oneAtATime(Flow flow) {
        return flow.in.isEmpty() && config.evaluations().isEmpty();
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
