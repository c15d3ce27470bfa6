package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.Capture;
import io.llmc4j.engine.calibrate.Gathering;
import io.llmc4j.engine.calibrate.SpillingStateStore;
import io.llmc4j.engine.calibrate.StateStore;
import io.llmc4j.engine.calibrate.StoredInputs;
import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.method.Need;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.KvCache;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.WeightRoundings;
import io.llmc4j.engine.tensor.Matrix;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * Chooses a width for each layer so that the model's weights take a given average number of bits: sensitivity is measured, then a small knapsack
 * decides ({@link BitBudget}).
 *
 * <p>Layers that share an input (queries, keys and values; gate and up; the experts of a block) get one width together, because engines fuse them. The
 * loss that such a group adds is measured: with it rounded to nearest at a width, and all else float, some hundred tokens are carried to the model's end,
 * and their predictions are compared with the float model's ({@link SensitivityProbes}). That is done for the widths up to the target; wider ones do little,
 * and their loss is scaled from there by the squared error of the group's outputs on all calibration data, sum ‖(W - Q(W)) X‖², which needs the Gram
 * matrix of the inputs only.
 */
public final class TargetBits {

    /** What a run may choose from when nothing is said. */
    public static final List<Integer> WIDTHS = List.of(2, 3, 4, 5, 6, 8);

    /**
     * A group of layers and what was chosen for it.
     *
     * @param layers  full names
     * @param weights in all of them
     * @param errors  by candidate width: what it adds to the loss, nats a token
     * @param width   chosen
     * @param bits    average bits of a weight at that width, scales and zero points included
     */
    public record Row(int block, List<String> layers, long weights, Map<Integer, Double> errors, int width, double bits) { }

    /**
     * @param schemes     the plan that was given, with a setting of {@code mix_bits} for every layer that was chosen for
     * @param averageBits of all weights that were chosen for
     */
    public record Choice(SchemePlan schemes, List<Row> rows, double averageBits) { }

    private record Group(int block, List<String> names, List<String> fullNames, long weights, double[] bits, double[] errors) { }

    private final ModelSource source;
    private final RunConfig config;
    private final List<Integer> widths;
    private final RunListener listener;

    private TargetBits(ModelSource source, RunConfig config, List<Integer> widths, RunListener listener) {
        this.source = source;
        this.config = config;
        this.widths = widths.stream().sorted().distinct().toList();
        this.listener = listener;
    }

    /**
     * @param config the schemes to change, and the calibration data
     * @param widths candidate bits of integer codes, 2 to 8
     * @param target average bits of a weight
     * @throws BadInput when there is no calibration data, a scheme is not of integers, or the target is below what the smallest width takes
     */
    public static Choice choose(ModelSource source, RunConfig config, List<Integer> widths, double target, RunListener listener) {
        if (config.calibration().isEmpty()) {
            throw new BadInput(BadInput.Common.CONFIG, "choosing bits by sensitivity needs calibration data; add a calib section, or --calib");
        }
        if (widths.isEmpty() || widths.stream().anyMatch(b -> b < 2 || b > 8)) {
            throw BadInput.of(BadInput.Common.CONFIG, "candidate widths are %s; numbers from 2 to 8 are expected", widths);
        }
        if (!config.schemes().mixed().isEmpty()) {
            throw new BadInput(BadInput.Common.CONFIG, "target bits and mix_bits both say how many bits a layer gets; use one of them");
        }
        return new TargetBits(source, config, widths, listener).choose(target);
    }

    private Choice choose(double target) {
        List<Group> groups = measure(target);
        if (groups.isEmpty()) {
            throw new BadInput(BadInput.Common.CONFIG, "no layer is to be quantized, so there is nothing to choose bits for");
        }
        long all = 0;
        double least = 0;
        List<BitBudget.Item> items = new ArrayList<>();
        for (Group g : groups) {
            double[] cost = new double[widths.size()];
            for (int c = 0; c < cost.length; c++) {
                cost[c] = g.bits[c] * g.weights;
            }
            items.add(new BitBudget.Item(cost, g.errors));
            all += g.weights;
            least += cost[0];
        }
        if (target * all < least) {
            throw BadInput.of(BadInput.Common.CONFIG, "a target of %.3f bits is below the %.3f that width %d takes with its scales and zero points; "
                    + "raise the target, or use larger groups", target, least / all, widths.getFirst());
        }
        int[] chosen = BitBudget.choose(items, target * all);
        List<Row> rows = new ArrayList<>();
        double spent = 0;
        for (int i = 0; i < chosen.length; i++) {
            Group g = groups.get(i);
            Map<Integer, Double> errors = new TreeMap<>();
            for (int c = 0; c < widths.size(); c++) {
                errors.put(widths.get(c), g.errors[c]);
            }
            rows.add(new Row(g.block, g.fullNames, g.weights, errors, widths.get(chosen[i]), g.bits[chosen[i]]));
            spent += g.bits[chosen[i]] * g.weights;
        }
        return new Choice(plan(groups, chosen), List.copyOf(rows), spent / all);
    }

    // ---- the plan ----

    private SchemePlan plan(List<Group> groups, int[] chosen) {
        // name -> width -> blocks
        Map<String, Map<Integer, List<Integer>>> byName = new TreeMap<>(Comparator.comparingInt(String::length).reversed().thenComparing(Comparator.naturalOrder()));
        for (int i = 0; i < chosen.length; i++) {
            for (String name : groups.get(i).names) {
                byName.computeIfAbsent(name, n -> new TreeMap<>()).computeIfAbsent(widths.get(chosen[i]), w -> new ArrayList<>()).add(groups.get(i).block);
            }
        }
        SchemePlan base = config.schemes();
        // Longer names first: a setting holds for every layer whose name contains its text, and the first that matches decides.
        List<MixedBits> mixed = new ArrayList<>();
        byName.forEach((name, byWidth) -> byWidth.forEach((width, blocks) -> mixed.add(new MixedBits(
                List.of(name + "#" + String.join("-", blocks.stream().map(String::valueOf).toList())), true, Optional.of(widened(base.weight().orElseThrow(), width)),
                base.activation()))));
        return new SchemePlan(base.weight(), base.activation(), mixed, base.ignored());
    }

    /** The scheme with codes of another width; throws BadInput when its codes are not integers. */
    public static QuantScheme widened(QuantScheme scheme, int width) {
        if (!scheme.isInteger()) {
            throw BadInput.of(BadInput.Common.CONFIG, "target bits chooses the width of integer codes, and quant.weight is %s", scheme.format());
        }
        return scheme.withFormat(NumberFormat.Int.of(width, scheme.symmetric()));
    }

    // ---- sensitivity ----

    private List<Group> measure(double target) {
        List<Group> groups = new ArrayList<>();
        Decoder decoder = new Decoder(source.spec());
        Passes passes = new Passes(decoder, () -> KvCache.NONE);
        try (StateStore store = new SpillingStateStore(config.memory().stateBytes(), Path.of(System.getProperty("java.io.tmpdir")))) {
            FoldedModel folded = new FoldedModel(source, config, passes, store, listener);
            StoredInputs in = folded.firstStates("sensitivity");
            StoredInputs out = new StoredInputs(store.states("sensitivity"), source.spec().hiddenSize());
            SensitivityProbes probes = new SensitivityProbes(decoder, source.ends(), config.calibration().orElseThrow(), store);
            for (int i = 0; i < source.spec().blocks(); i++) {
                listener.phase("sensitivity of block " + i);
                source.checkUnchanged();
                source.release();
                Block block = source.block(i);
                Set<String> names = new LinkedHashSet<>();
                block.linears().forEach(l -> names.add(l.name()));
                Capture capture = new Capture(block, names, Set.of(Need.HESSIANS), store, false);
                passes.run(block, in, out, capture);
                probes.through(passes, block);
                for (List<Linear> together : together(block)) {
                    Group g = group(block, together, capture.byLayer());
                    for (int c = 0; c <= probeWidth(g, target); c++) {
                        Quantizer quantizer = Quantizer.of(widened(config.schemes().weight().orElseThrow(), widths.get(c)), config.llmcCompatible());
                        for (Linear l : together) {
                            l.setWeightRounding(WeightRoundings.dynamic(quantizer));
                            l.setQuantized(true);
                        }
                        probes.start(block);
                    }
                    for (Linear l : together) {
                        l.setWeightRounding(null);
                        l.setQuantized(false);
                        l.release();
                    }
                    groups.add(g);
                }
                probes.next();
                capture.byLayer().values().forEach(Gathering::close);
                StoredInputs swap = in;
                in = out;
                out = swap;
            }
            listener.phase("what each layer's rounding does to the model's predictions");
            double[] loss = probes.losses();
            int at = 0;
            for (Group g : groups) {
                int probe = probeWidth(g, target);
                double above = g.errors[probe] > 0 ? loss[at + probe] / g.errors[probe] : 0;
                for (int c = 0; c < g.errors.length; c++) {
                    g.errors[c] = c <= probe ? loss[at + c] : g.errors[c] * above;
                }
                at += probe + 1;
            }
        }
        return groups;
    }

    /** The widest width that the target pays for: it and those below are measured at the model's end; what wider ones do is small, and scaled from it. */
    private static int probeWidth(Group g, double target) {
        int c = 0;
        while (c + 1 < g.bits.length && g.bits[c + 1] <= target) {
            c++;
        }
        return c;
    }

    /** Layers to be quantized, those that get one width together side by side. */
    private List<List<Linear>> together(Block block) {
        Map<String, List<Linear>> groups = new LinkedHashMap<>();
        for (Linear l : block.linears()) {
            String full = source.blockPrefix(block.index()) + "." + l.name();
            if (config.scheme(source.spec().family(), block.index(), l.role(), l.name(), full).weight().isPresent()) {
                groups.computeIfAbsent(key(block, l), k -> new ArrayList<>()).add(l);
            }
        }
        return List.copyOf(groups.values());
    }

    private static String key(Block block, Linear l) {
        if (l.role() == Role.EXPERT_DOWN) {
            return "experts down";
        }
        if (l.role().isRouter()) {
            return l.name();
        }
        for (int i = 0; i < block.subsets().size(); i++) {
            Subset s = block.subsets().get(i);
            if (s.layers().contains(l.name())) {
                return "subset " + i;
            }
        }
        return l.name();
    }

    private Group group(Block block, List<Linear> layers, Map<String, Gathering> gathered) {
        double[] lost = new double[widths.size()];
        double[] stored = new double[widths.size()];
        long weights = 0;
        for (Linear l : layers) {
            Matrix w = l.weight();
            Matrix hessian = Optional.ofNullable(gathered.get(l.name())).map(Gathering::hessian).orElseGet(() -> new Matrix(l.in(), l.in()));
            weights += w.data().length;
            QuantScheme scheme = config.schemes().weight().orElseThrow();
            for (int c = 0; c < lost.length; c++) {
                QuantScheme s = widened(scheme, widths.get(c));
                lost[c] += energy(minus(w, Quantizer.of(s, config.llmcCompatible()).fakeQuantize(w)), hessian);
                stored[c] += StoredBits.of(s, l.out(), l.in()) * w.data().length;
            }
        }
        for (int c = 0; c < lost.length; c++) {
            stored[c] /= weights;
        }
        List<String> names = layers.stream().map(Linear::name).toList();
        return new Group(block.index(), names, names.stream().map(n -> source.blockPrefix(block.index()) + "." + n).toList(), weights, stored, lost);
    }

    private static Matrix minus(Matrix a, Matrix b) {
        for (int i = 0; i < b.data().length; i++) {
            b.data()[i] = a.data()[i] - b.data()[i];
        }
        return b;
    }

    /** trace(D H Dᵀ): the energy of D X, up to the factor that H has. */
    private static double energy(Matrix d, Matrix hessian) {
        Matrix dh = Products.linear(d, hessian);
        double sum = 0;
        for (int i = 0; i < d.data().length; i++) {
            sum += (double) dh.data()[i] * d.data()[i];
        }
        return sum;
    }
}
