package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.evaluate.EvaluationResult;
import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.RunSummary;
import io.llmc4j.formats.data.EvaluationText;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.text.Tokenizer;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/**
 * Whole runs against LLMC's: a case's configuration becomes a run under {@code compat: llmc}; perplexities, folded scales and fake-quantized
 * weights are held to what LLMC got. A method's test names its cases and what they must reach.
 */
public final class GoldenMethods {

    /**
     * How close a case must come.
     *
     * @param perplexity     largest relative difference
     * @param differingShare largest share of a layer's weights that may differ by more than 1e-5 of its absolute maximum
     */
    public record Closeness(double perplexity, double differingShare) {
        /** Methods without training. */
        public static final Closeness EXACT = new Closeness(2e-4, 1e-3);
        /** Methods that learn: perplexity only. */
        public static final Closeness LEARNING = new Closeness(5e-3, 1);
    }

    /** What a run gave, for further comparison. */
    public record Outcome(RunSummary summary, Map<String, LayerResult> layers, List<float[]> scales, GoldenTensors golden) {

        public double perplexity(Position position) {
            return summary.evaluations().stream().filter(r -> r.position() == position).findFirst().orElseThrow().value();
        }
    }

    private static final JsonNode INDEX = GoldenTensors.json("/golden/methods/index.json.gz");
    private static final Map<String, Path> MODELS = new HashMap<>();
    private static final Map<String, int[][]> WINDOWS = new HashMap<>();

    private GoldenMethods() {
    }

    /** Runs the case, prints a row a comparison and fails when one is not close. */
    public static Outcome hold(String model, String name, Closeness closeness) {
        return hold(model, name, closeness, what -> true);
    }

    /** As {@link #hold(String, String, Closeness)} for the comparisons (by tensor, "scale b0 call 1" or "fq/b0.mlp.up_proj.weight") that the filter lets through. */
    public static Outcome hold(String model, String name, Closeness closeness, Predicate<String> compared) {
        return hold(model, name, closeness, compared, c -> c);
    }

    /** As above with a change of the configuration. */
    public static Outcome hold(String model, String name, Closeness closeness, Predicate<String> compared, UnaryOperator<RunConfig> change) {
        JsonNode entry = entry(model, name);
        Outcome outcome = run(entry, name, change, Set.of());
        List<String> failures = new ArrayList<>();
        for (EvaluationResult r : outcome.summary.evaluations()) {
            double theirs = entry.get("ppl").get(r.position().label()).asDouble();
            double difference = Math.abs(r.value() - theirs) / theirs;
            row(failures, model, name, "perplexity " + r.position().label(), r.value(), theirs, difference, difference <= closeness.perplexity);
        }
        compareScales(outcome, model, name, closeness, compared, failures);
        compareWeights(outcome, model, name, closeness, compared, failures);
        assertTrue(failures.isEmpty(), () -> String.join("\n", failures));
        return outcome;
    }

    private static JsonNode entry(String model, String name) {
        for (JsonNode c : INDEX.get("cases")) {
            if (c.get("model").asText().equals(model) && c.get("case").asText().equals(name)) {
                return c;
            }
        }
        throw new IllegalArgumentException("no golden case " + model + "/" + name);
    }

    /** Runs the case with a change of its configuration, and compares nothing. Evaluations that LLMC did not get to are made too. */
    public static Outcome run(String model, String name, UnaryOperator<RunConfig> change) {
        return run(entry(model, name), name, change, EnumSet.of(Position.TRANSFORMED, Position.FAKE_QUANT));
    }

    private static Outcome run(JsonNode entry, String name, UnaryOperator<RunConfig> change, Set<Position> more) {
        String model = entry.get("model").asText();
        GoldenTensors golden = GoldenTensors.load("/golden/methods/" + model + "/" + name + ".safetensors.gz");
        RunConfig config = LlmcConfigs.run(entry.get("config"), golden.has("calib_ids") ? rows(golden) : new int[0][]);
        Set<Position> positions = EnumSet.noneOf(Position.class);
        positions.addAll(more);
        for (Position p : Position.values()) {
            if (entry.get("ppl").has(p.label())) {
                positions.add(p);
            }
        }
        if (!positions.isEmpty()) {
            config = config.withEvaluations(List.of(evaluation(model, entry.at("/config/eval"), positions)));
        }
        Map<String, LayerResult> layers = new HashMap<>();
        List<float[]> scales = new ArrayList<>();
        RunListener listener = new RunListener() {
            @Override
            public void layerDone(LayerResult layer) {
                layers.put(layer.fullName(), layer);
            }

            @Override
            public void scaleFolded(int block, Subset subset, float[] scale) {
                // LLMC's DGQ divides the up projection without the routine whose calls were recorded.
                if (!name.startsWith("dgq") || subset.previous().orElseThrow() instanceof Subset.PreviousNorm) {
                    scales.add(scale.clone());
                }
            }
        };
        try (HfModel source = HfModel.open(directory(model))) {
            return new Outcome(new BlockFold(source, change.apply(config), List.of(), listener).run(), layers, scales, golden);
        }
    }

    private static int[][] rows(GoldenTensors golden) {
        int[] shape = golden.shape("calib_ids");
        int[] flat = golden.ints("calib_ids");
        int[][] out = new int[shape[0]][];
        for (int i = 0; i < shape[0]; i++) {
            out[i] = java.util.Arrays.copyOfRange(flat, i * shape[1], (i + 1) * shape[1]);
        }
        return out;
    }

    /** The model, unpacked once. */
    public static synchronized Path directory(String model) {
        return MODELS.computeIfAbsent(model, m -> {
            try {
                Path parent = Files.createTempDirectory("llmc4j-golden");
                Path dir = GoldenModels.unpack(m, parent);
                parent.toFile().deleteOnExit();
                dir.toFile().deleteOnExit();
                for (java.io.File f : dir.toFile().listFiles()) {
                    f.deleteOnExit();
                }
                return dir;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    private static Evaluation evaluation(String model, JsonNode eval, Set<Position> positions) {
        if (eval.path("type").asText("ppl").equals("decode_ppl")) {
            Position first = positions.iterator().next();
            return Evaluation.decoding("eval", texts(model), eval.get("num_samples").asInt(), eval.get("num_eval_tokens").asInt(), first,
                    positions.toArray(Position[]::new));
        }
        return new Evaluation("eval", Evaluation.Kind.PERPLEXITY, windows(model, eval.get("seq_len").asInt()), positions);
    }

    /** LLMC's evaluation windows of the golden text. */
    static synchronized int[][] windows(String model, int seqLen) {
        return WINDOWS.computeIfAbsent(model + seqLen, k -> {
            try (Tokenizer t = Tokenizer.open(directory(model))) {
                return Evaluation.windows(EvaluationText.WIKITEXT2.tokens(texts(), t, seqLen), seqLen);
            }
        });
    }

    /** The golden texts, each by itself. */
    private static List<int[]> texts(String model) {
        try (Tokenizer t = Tokenizer.open(directory(model))) {
            return texts().stream().map(t::encode).toList();
        }
    }

    private static List<String> texts() {
        try (InputStream in = GoldenMethods.class.getResourceAsStream("/golden/methods/eval.json")) {
            List<String> texts = new ArrayList<>();
            new ObjectMapper().readTree(in).forEach(n -> texts.add(n.asText()));
            return texts;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void compareScales(Outcome o, String model, String name, Closeness closeness, Predicate<String> compared, List<String> failures) {
        int at = 0;
        for (int b = 0; o.golden.has("scale/b" + b + ".call0"); b++) {
            for (int c = 0; o.golden.has("scale/b" + b + ".call" + c); c++, at++) {
                float[] theirs = o.golden.floats("scale/b" + b + ".call" + c);
                float[] ours = at < o.scales.size() ? o.scales.get(at) : new float[0];
                double worst = ours.length == theirs.length ? 0 : Double.POSITIVE_INFINITY;
                for (int i = 0; i < ours.length && worst != Double.POSITIVE_INFINITY; i++) {
                    worst = Math.max(worst, Math.abs(ours[i] - theirs[i]) / Math.abs(theirs[i]));
                }
                if (closeness.differingShare < 1 && compared.test("scale b" + b + " call " + c)) {
                    row(failures, model, name, "scale b" + b + " call " + c, at < o.scales.size() ? ours[0] : Double.NaN, theirs[0], worst, worst < 1e-4);
                }
            }
        }
    }

    private static void compareWeights(Outcome o, String model, String name, Closeness closeness, Predicate<String> compared, List<String> failures) {
        for (Map.Entry<String, LayerResult> e : new java.util.TreeMap<>(o.layers).entrySet()) {
            if (closeness.differingShare < 1) {
                String layer = e.getKey().replaceFirst(".*layers\\.(\\d+)\\.", "b$1.") + ".weight";
                if (compared.test("fq/" + layer)) {
                    compareWeight(o, model, name, "fq/" + layer, e.getValue().fake().data(), closeness, failures);
                }
                if (compared.test("trans/" + layer)) {
                    compareWeight(o, model, name, "trans/" + layer, e.getValue().layer().weight().data(), closeness, failures);
                }
            }
        }
    }

    private static void compareWeight(Outcome o, String model, String name, String key, float[] ours, Closeness closeness, List<String> failures) {
        if (!o.golden.has(key)) {
            return;
        }
        float[] theirs = o.golden.floats(key);
        float max = 0;
        for (float v : theirs) {
            max = Math.max(max, Math.abs(v));
        }
        int differing = 0;
        for (int i = 0; i < theirs.length; i++) {
            differing += Math.abs(ours[i] - theirs[i]) / max <= 1e-5 ? 0 : 1;
        }
        double share = (double) differing / theirs.length;
        row(failures, model, name, key + " differing", differing, theirs.length, share, share <= closeness.differingShare && ours.length == theirs.length);
    }

    private static void row(List<String> failures, String model, String name, String what, double ours, double theirs, double difference, boolean pass) {
        String line = String.format(Locale.ROOT, "%-8s %-22s %-42s ours %-14.7g LLMC's %-14.7g difference %-10.3g %s", model, name, what, ours, theirs, difference,
                pass ? "pass" : "FAIL");
        System.out.println(line);
        if (what.startsWith("perplexity ")) {
            GoldenTable.perplexity(model, name, what.substring("perplexity ".length()), ours, theirs, difference, pass);
        } else if (what.endsWith(" differing")) {
            GoldenTable.tensor(model, name, difference, pass);
        }
        if (!pass) {
            failures.add(line);
        }
    }
}
