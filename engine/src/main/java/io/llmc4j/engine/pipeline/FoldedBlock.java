package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.Capture;
import io.llmc4j.engine.calibrate.Gathering;
import io.llmc4j.engine.calibrate.Inputs;
import io.llmc4j.engine.calibrate.StateStore;
import io.llmc4j.engine.calibrate.StoredInputs;
import io.llmc4j.engine.method.BlockWork;
import io.llmc4j.engine.method.Need;
import io.llmc4j.engine.method.Needs;
import io.llmc4j.engine.method.Stage;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.Folding;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.KvCache;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.quant.ActivationRounding;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.WeightRounding;
import io.llmc4j.engine.tensor.Matrix;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Collectors;

/** A block while the fold has it: what was gathered, and the edits of the stages. */
final class FoldedBlock implements BlockWork, AutoCloseable {

    /** What a block needs from the run. */
    record Surroundings(RunConfig config, SchemePlan schemes, String prefix, Passes passes, StateStore store, StateStore carried, boolean excludeFromStart,
                        Map<String, Map<String, Matrix>> artifacts, RunListener listener) { }

    private final Block block;
    private final Surroundings run;
    private final Optional<StoredInputs> in;
    private final Optional<StoredInputs> out;
    private final Installations installations;
    private final Map<String, Gathering> gathered = new HashMap<>();
    private Optional<Gathering> mlp = Optional.empty();
    private final Set<Subset> fixed = new HashSet<>();
    private final ExpertTokens experts;
    /** Layers of experts that the last pass for them did not reach. */
    private final Set<String> unseen = new HashSet<>();
    /** Layers gathered with those of an earlier subset, on which nothing depends that is done to it. */
    private final Set<String> ahead = new HashSet<>();
    private final KnownPlaces places;
    private boolean functionChanged;

    FoldedBlock(Block block, Surroundings run, Optional<StoredInputs> in, Optional<StoredInputs> out) {
        this.block = block;
        this.run = run;
        this.in = in;
        this.out = out;
        this.installations = new Installations(this, run.config);
        this.experts = new ExpertTokens(block, run.config);
        this.places = new KnownPlaces(block, run.store);
    }

    ExpertTokens experts() {
        return experts;
    }

    Installations installations() {
        return installations;
    }

    // ---- passes ----

    /** The pass over the float block: what the first stage needs, and the block's outputs where they are wanted. */
    void floatPass(Needs needs, boolean outputs) {
        Set<Need> what = streamed(needs);
        Set<String> wanted = what.isEmpty() ? Set.of() : needs.firstSubsetOnly() ? new LinkedHashSet<>(block.subsets().getFirst().layers()) : allNames();
        Capture capture = new Capture(block, wanted, what, run.store, !outputs).allTokens(experts.allTokens(wanted));
        if (outputs) {
            run.passes.run(block, blockStates(), out.orElseThrow(), capture);
        } else {
            run.passes.gather(block, blockStates(), capture);
        }
        passed(wanted, what, capture);
    }

    /** Takes what a pass gathered. Experts that it did not reach follow their rule. */
    private void passed(Set<String> wanted, Set<Need> what, Capture capture) {
        take(capture);
        unseen.removeAll(wanted);
        experts.counted(capture, run.prefix);
        Set<String> missing = experts.unseen(wanted, capture);
        if (!missing.isEmpty() && experts.standIn()) {
            Capture second = new Capture(block, missing, what, run.store, false).tokensOf(experts.standIns(missing));
            run.passes.gather(block, blockStates(), second);
            take(second);
            missing.removeAll(second.byLayer().keySet());
        }
        unseen.addAll(missing);
    }

    private static Set<Need> streamed(Needs needs) {
        Set<Need> what = new HashSet<>(needs.what());
        what.remove(Need.FLOAT_OUTPUTS);
        return what;
    }

    private Set<String> allNames() {
        Set<String> names = new LinkedHashSet<>();
        block.linears().forEach(l -> names.add(l.name()));
        return names;
    }

    private void take(Capture capture) {
        Map<Gathering, Boolean> old = new IdentityHashMap<>();
        capture.byLayer().forEach((name, g) -> {
            Gathering before = gathered.put(name, g);
            if (before != null) {
                old.put(before, true);
            }
        });
        if (capture.mlp().isPresent()) {
            mlp.ifPresent(Gathering::close);
            mlp = capture.mlp();
        }
        old.keySet().stream().filter(g -> !gathered.containsValue(g)).forEach(Gathering::close);
    }

    /** A stage starts: what was gathered before a change of the block's function no longer holds. */
    void begin(Stage stage) {
        places.forget();
        if (functionChanged) {
            forget();
            functionChanged = false;
        }
    }

    private void forget() {
        Map<Gathering, Boolean> all = new IdentityHashMap<>();
        gathered.values().forEach(g -> all.put(g, true));
        mlp.ifPresent(g -> all.put(g, true));
        all.keySet().forEach(Gathering::close);
        gathered.clear();
        unseen.clear();
        ahead.clear();
        mlp = Optional.empty();
    }

    private Optional<Gathering> gathering(Linear layer, Need need) {
        Gathering g = gathered.get(layer.name());
        if ((g == null || !g.what().contains(need)) && !unseen.contains(layer.name())) {
            // One pass for all layers whose input is at hand together: the rest of the subset will be asked for too.
            List<String> missing = subsetOf(layer).map(Subset::layers).orElse(List.of(layer.name()));
            gather(missing, layer.expert(), Set.of(need), ForwardHooks.NONE);
            g = gathered.get(layer.name());
        }
        return Optional.ofNullable(g);
    }

    /** The last pass over the block as it is now. */
    void outputs() {
        run.passes.run(block, blockStates(), out.orElseThrow(), run.config.passesGoOn() ? places.last() : ForwardHooks.NONE);
    }

    /** Hessians of many experts are gathered a few experts at a time, from {@code expert} on; those of other experts among the layers are let go. */
    private void gather(List<String> layers, int expert, Set<Need> what, ForwardHooks known) {
        List<String> some = what.contains(Need.HESSIANS) ? experts.fitting(layers, expert, run.config.memory().stateBytes() / 4) : layers;
        if (some.size() < layers.size()) {
            layers.stream().filter(n -> block.linear(n).expert() >= 0).forEach(this::drop);
        }
        Set<String> wanted = new LinkedHashSet<>(some);
        boolean routed = wanted.stream().anyMatch(n -> block.linear(n).expert() >= 0);
        Capture capture = new Capture(block, wanted, what, run.store, !routed).allTokens(experts.allTokens(wanted)).from(known);
        run.passes.gather(block, blockStates(), capture);
        passed(wanted, what, capture);
    }

    private void drop(String layer) {
        Gathering g = gathered.remove(layer);
        if (g != null && !gathered.containsValue(g)) {
            g.close();
        }
    }

    private Optional<Subset> subsetOf(Linear layer) {
        return block.subsets().stream().filter(s -> s.layers().contains(layer.name())).findFirst();
    }

    private StoredInputs blockStates() {
        return in.orElseThrow(() -> BadInput.of(BadInput.Common.CONFIG, "this method needs calibration data; add a calib section, or --calib"));
    }

    @Override
    public void recapture(Subset next, Needs needs) {
        for (Subset s : block.subsets()) {
            if (s == next) {
                break;
            }
            fixStaticRanges(s);
        }
        if (ahead.containsAll(next.layers())) {
            return;
        }
        List<String> layers = new ArrayList<>(next.layers());
        if (aloneDown(next)) {
            // What is done to one expert's last layer reaches no other expert: their inputs come from one pass.
            List<Subset> all = block.subsets();
            all.subList(all.indexOf(next) + 1, all.size()).stream().filter(this::aloneDown).forEach(s -> layers.addAll(s.layers()));
        }
        layers.forEach(this::drop);
        unseen.removeAll(layers);
        ahead.clear();
        gather(layers, Math.max(0, block.linear(next.layers().getFirst()).expert()), streamed(needs), run.config.passesGoOn() ? places.behind(before(next)) : ForwardHooks.NONE);
        if (aloneDown(next)) {
            layers.stream().filter(n -> gathered.containsKey(n) || unseen.contains(n)).forEach(ahead::add);
        }
    }

    private Set<String> before(Subset next) {
        List<Subset> all = block.subsets();
        return all.subList(0, all.indexOf(next)).stream().flatMap(s -> s.layers().stream()).collect(Collectors.toSet());
    }

    private boolean aloneDown(Subset s) {
        return s.layers().size() == 1 && block.linear(s.layers().getFirst()).role() == Role.EXPERT_DOWN;
    }

    // ---- what flows ----

    @Override
    public Inputs blockInputs() {
        return llmcCompatible() && !run.config.quantOut() ? floatOutputs() : blockStates();
    }

    @Override
    public Inputs floatOutputs() {
        StoredInputs outputs = out.orElseThrow();
        if (outputs.chunks() == 0) {
            throw new IllegalStateException("float outputs were not asked for: the stage's needs() lack FLOAT_OUTPUTS");
        }
        return outputs;
    }

    @Override
    public Inputs inputs(Linear layer) {
        Inputs plain = plainInputs(layer);
        // LLMC searches clips of rotated weights with inputs that are not.
        return layer.inputRotation().isPresent() && !llmcCompatible() ? new RotatedInputs(plain, layer.inputRotation().get()) : plain;
    }

    /** Before an online rotation. */
    private Inputs plainInputs(Linear layer) {
        return gathering(layer, Need.INPUTS).<Inputs>map(Gathering::inputs).orElseGet(() -> new NoInputs(layer.in()));
    }

    @Override
    public Inputs inputs(Subset subset) {
        Linear first = block.linear(subset.input());
        boolean experts = subset.inspect() == Subset.Inspect.MLP && block.spec().feedForward().experts().isPresent() && first.role() != Role.SHARED_DOWN;
        if (!experts) {
            return plainInputs(first);
        }
        if (mlp.isEmpty()) {
            gathering(first, Need.INPUTS);
        }
        return mlp.orElseThrow().inputs();
    }

    @Override
    public Matrix hessian(Linear layer) {
        return gathering(layer, Need.HESSIANS).map(g -> Soundness.requireFinite(g.hessian(), fullName(layer))).orElseGet(() -> new Matrix(layer.in(), layer.in()));
    }

    @Override
    public boolean reached(Linear layer) {
        return experts.reached(layer.expert());
    }

    @Override
    public boolean sameInput(Linear a, Linear b) {
        Gathering g = gathered.get(a.name());
        return a == b || g != null && g == gathered.get(b.name());
    }

    @Override
    public float[] channelMaxima(Linear layer) {
        return gathering(layer, Need.CHANNEL_MAXIMA).map(Gathering::maxima).orElseGet(() -> new float[layer.in()]);
    }

    /** What an expert saw that no token reached. */
    private record NoInputs(int features) implements Inputs {
        @Override
        public int chunks() {
            return 0;
        }

        @Override
        public io.llmc4j.engine.model.Hidden chunk(int index) {
            throw new IndexOutOfBoundsException(index);
        }

        @Override
        public int batchOf(int chunk) {
            throw new IndexOutOfBoundsException(chunk);
        }

        @Override
        public int samples(int chunk) {
            throw new IndexOutOfBoundsException(chunk);
        }

        @Override
        public int rows(int chunk) {
            throw new IndexOutOfBoundsException(chunk);
        }
    }

    // ---- edits ----

    @Override
    public void foldScale(Subset subset, float[] scale) {
        float[] seen = Folding.scale(block, subset, scale);
        places.forget();
        run.listener.scaleFolded(block.index(), subset, scale);
        follow(subset, g -> g.divide(seen));
    }

    @Override
    public void foldShift(Subset subset, float[] shift) {
        Folding.shift(block, subset, shift);
        places.forget();
        follow(subset, g -> g.shift(shift));
    }

    /** Gathered statistics of the subset follow the edit, or are forgotten. */
    private void follow(Subset subset, java.util.function.Predicate<Gathering> edit) {
        Map<Gathering, Boolean> kept = new IdentityHashMap<>();
        for (String name : subset.layers()) {
            Gathering g = gathered.get(name);
            if (g != null && !kept.computeIfAbsent(g, edit::test)) {
                gathered.remove(name);
            }
        }
        kept.forEach((g, stays) -> {
            if (!stays) {
                g.close();
            }
        });
    }

    @Override
    public void weightChanged(Linear layer) {
        layer.weightChanged();
        functionChanged = true;
    }

    @Override
    public void install(Linear layer, WeightRounding rounding) {
        layer.setWeightRounding(rounding);
    }

    @Override
    public void install(Linear layer, ActivationRounding rounding) {
        layer.setActivationRounding(rounding);
    }

    @Override
    public void quantize(Linear layer) {
        installations.complete(layer);
        layer.setQuantized(true);
    }

    @Override
    public void fixStaticRanges(Subset subset) {
        if (fixed.add(subset)) {
            installations.fixStaticRanges(subset.layers().stream().map(block::linear).toList(), () -> inputs(subset));
        }
    }

    /** Ranges of what no stage fixed. */
    void fixRemainingStaticRanges() {
        block.subsets().forEach(this::fixStaticRanges);
        for (Linear l : block.linears()) {
            if (subsetOf(l).isEmpty()) {
                installations.fixStaticRanges(List.of(l), () -> plainInputs(l));
            }
        }
    }

    // ---- the rest ----

    @Override
    public Block block() {
        return block;
    }

    @Override
    public Decoder decoder() {
        return run.passes.decoder();
    }

    @Override
    public KvCache cache() {
        return run.passes.cache().get();
    }

    @Override
    public RunConfig config() {
        return run.config;
    }

    @Override
    public String fullName(Linear layer) {
        return run.prefix + "." + layer.name();
    }

    @Override
    public LayerScheme scheme(Linear layer) {
        if (run.config.experts().leaves(layer.role(), decoder().spec().family(), llmcCompatible())) {
            return LayerScheme.FLOAT;
        }
        return run.schemes.layer(block.index(), layer.name(), fullName(layer), run.excludeFromStart);
    }

    @Override
    public Optional<Quantizer> weightQuantizer(Linear layer) {
        return scheme(layer).weight().map(s -> Quantizer.of(s, llmcCompatible()));
    }

    @Override
    public Optional<Quantizer> activationQuantizer(Linear layer) {
        return scheme(layer).activation().map(s -> Quantizer.of(s, llmcCompatible()));
    }

    @Override
    public SplittableRandom random(String name) {
        return new SplittableRandom(run.config.seed() * 0x9E3779B97F4A7C15L + block.index() * 1_000_003L + name.hashCode());
    }

    @Override
    public void note(Linear layer, String text) {
        installations.note(layer, text);
    }

    @Override
    public StateStore store() {
        return run.carried;
    }

    @Override
    public void loss(String stage, int epoch, double value) {
        run.listener.epochDone(block.index(), stage, epoch, value);
        // Among what is journalled, so that a resumed run tells all of it.
        run.artifacts.computeIfAbsent(RunSummary.LOSSES, f -> new LinkedHashMap<>()).merge(block.index() + " " + stage, new Matrix(1, 1, new float[] {(float) value}), (a, b) -> {
            float[] longer = Arrays.copyOf(a.data(), a.cols() + 1);
            longer[a.cols()] = b.data()[0];
            return new Matrix(1, longer.length, longer);
        });
    }

    @Override
    public void artifact(String file, String key, Matrix value) {
        run.artifacts.computeIfAbsent(file, f -> new LinkedHashMap<>()).put(key, value);
    }

    @Override
    public void close() {
        places.forget();
        forget();
    }
}
