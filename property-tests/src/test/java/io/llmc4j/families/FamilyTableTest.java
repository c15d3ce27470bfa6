package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.RunSummary;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.export.gguf.GgufSink;
import io.llmc4j.formats.export.gguf.GgufTarget;
import io.llmc4j.formats.export.gguf.imatrix.ImportanceMatrix;
import io.llmc4j.formats.export.gguf.mix.FileType;
import io.llmc4j.formats.hf.HfModel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The table of families in the README: logits against transformers, methods run on the tiny model, formats written and read back.
 * {@code -Dllmc4j.families=full} runs every column; without it the columns that cost most are left out.
 *
 * <p>A method or a format that a family refuses has to say so before anything is done; all else runs, its layers' errors are sane, and where a method
 * only transforms, the transformed model's logits and perplexity are the original's (QuaRot keeps the embedding's mean here: LLMC's removal of it, the default,
 * changes models with RMS norms).
 */
class FamilyTableTest {

    private static final boolean FULL = "full".equals(System.getProperty("llmc4j.families"));
    private static final Granularity GROUPS = Granularity.perGroup(16);
    private static final QuantScheme SYMMETRIC = QuantScheme.integer(4, true, GROUPS);
    private static final QuantScheme ASYMMETRIC = QuantScheme.integer(4, false, GROUPS);
    private static final QuantScheme ROWS = QuantScheme.integer(8, true, Granularity.PER_CHANNEL);
    private static final QuantScheme TOKENS = QuantScheme.integer(8, true, Granularity.PER_TOKEN);

    /** @param export written and read back by the same run; "gguf": one file, as this test writes it; empty: none */
    private record Column(String name, String method, Map<String, Object> special, SchemePlan schemes, boolean data, boolean transformOnly, String export, boolean full) { }

    private static final List<Column> COLUMNS = List.of(
            new Column("RTN", "RTN", Map.of(), SchemePlan.of(SYMMETRIC), false, false, "vllm", false),
            new Column("AWQ", "Awq", Map.of("weight_clip", false), SchemePlan.of(ASYMMETRIC), true, true, "autoawq", false),
            new Column("GPTQ", "GPTQ", Map.of("actorder", true, "static_groups", true, "true_sequential", true), SchemePlan.of(SYMMETRIC), true, false, "gptq", false),
            new Column("SmoothQuant", "SmoothQuant", Map.of("alpha", 0.5), SchemePlan.of(ROWS, TOKENS), true, true, "", false),
            new Column("QuaRot", "Quarot", Map.of("keep_embedding_mean", true), SchemePlan.of(SYMMETRIC), false, true, "", false),
            new Column("HQQ", "HQQ", Map.of("axis", 1), SchemePlan.of(ASYMMETRIC), false, false, "", true),
            new Column("OS+", "OsPlus", Map.of("true_sequential", true), SchemePlan.of(ROWS, TOKENS), true, true, "", false),
            new Column("SpQR", "SpQR", Map.of("true_sequential", true), SchemePlan.of(ASYMMETRIC.withRoundZeroPoint(false)), true, false, "", true),
            new Column("AWQ+GPTQ", "Awq", Map.of("true_sequential", true), SchemePlan.of(SYMMETRIC), true, false, "", true),
            new Column("Wanda", "Wanda", Map.of("sparsity", 0.5), new SchemePlan(Optional.empty(), Optional.empty(), List.of(), io.llmc4j.engine.pipeline.IgnoredLayers.NONE), true, false,
                    "", true));

    private static final Map<String, List<String>> TABLE = new LinkedHashMap<>();
    private static final Map<String, Set<String>> REASONS = new LinkedHashMap<>();

    @TempDir
    private Path dir;

    static List<String> variants() {
        return FamilyModels.VARIANTS;
    }

    private static List<Column> columns() {
        return COLUMNS.stream().filter(c -> FULL || !c.full()).toList();
    }

    @BeforeAll
    static void clear() {
        TABLE.clear();
        REASONS.clear();
    }

    @ParameterizedTest
    @MethodSource("variants")
    void family(String variant) {
        List<String> row = new ArrayList<>();
        try (HfModel m = FamilyModels.open(variant)) {
            String reference = variant.equals("falcon-rw-alibi") ? "logits_single" : "logits";
            double d = FamilyModels.difference(FamilyModels.reference(variant, reference), FamilyModels.logits(m, FamilyModels.ids(variant)));
            assertTrue(d < 1e-4, variant + " differs by " + d);
            row.add(m.spec().family());
            row.add(String.format(Locale.ROOT, "%.0e", d));
            for (Column c : columns()) {
                String cell = cell(m, variant, c, c.export());
                boolean format = !c.export().isEmpty();
                String without = format && !cell.equals("yes") ? cell(m, variant, c, "") : cell;
                row.add(without);
                if (format) {
                    row.add(cell);
                }
            }
            row.add(gguf(m, variant));
        }
        TABLE.put(variant, row);
    }

    private static RunConfig config(String variant, Column c) {
        int[] ids = FamilyModels.ids(variant)[0];
        int[][] samples = {Arrays.copyOfRange(ids, 0, 24), Arrays.copyOfRange(ids, 16, 40)};
        RunConfig run = RunConfig.of(c.method(), c.special(), c.schemes()).withQuantOut(List.of("GPTQ", "OsPlus", "SpQR").contains(c.method()));
        if (c.name().equals("AWQ+GPTQ")) {
            run = run.withMethods(List.of(new io.llmc4j.engine.pipeline.MethodStep("Awq", c.special()), new io.llmc4j.engine.pipeline.MethodStep("GPTQ", c.special())))
                    .withQuantOut(true);
        }
        if (c.transformOnly()) {
            run = run.withEvaluations(List.of(new Evaluation("ids", Evaluation.Kind.PERPLEXITY, new int[][] {ids}, Set.of(Position.PRETRAIN, Position.TRANSFORMED))));
        }
        return c.data() ? run.withCalibration(new CalibrationSet("ids", samples, -1, 24)) : run;
    }

    /** "yes", or "-" where a sentence says why not; anything but that sentence fails. */
    private String cell(HfModel m, String variant, Column c, String export) {
        List<ModelSink> sinks = new ArrayList<>();
        try {
            if (!export.isEmpty()) {
                sinks.add(Exports.open(Exports.named(export), m, dir.resolve(c.name() + export), 1L << 30, true));
            }
            Transformed transformed = new Transformed(m, FamilyModels.ids(variant));
            List<ModelSink> all = new ArrayList<>(sinks);
            if (c.transformOnly()) {
                all.add(transformed);
            }
            RunSummary s = new BlockFold(m, config(variant, c), all, RunListener.NONE).run();
            if (c.transformOnly()) {
                double d = FamilyModels.difference(FamilyModels.logits(m, FamilyModels.ids(variant)), transformed.logits());
                assertTrue(d < 1e-4, variant + " transformed by " + c.name() + " differs by " + d);
            }
            for (RunSummary.LayerRow l : s.layers()) {
                assertTrue(l.relativeError() < 0.35, variant + " " + c.name() + " " + l);
            }
            if (c.transformOnly()) {
                double before = s.evaluations().stream().filter(e -> e.position() == Position.PRETRAIN).findFirst().orElseThrow().value();
                double after = s.evaluations().stream().filter(e -> e.position() == Position.TRANSFORMED).findFirst().orElseThrow().value();
                assertEquals(1, after / before, 1e-4, variant + " " + c.name());
            }
            for (ModelSink sink : sinks) {
                assertEquals(List.of(), sink.verify(), variant + " " + export);
            }
            return "yes";
        } catch (BadInput e) {
            REASONS.computeIfAbsent(export.isEmpty() ? c.name() : export, k -> new LinkedHashSet<>()).add(variant + ": " + e.getMessage().replaceAll("\\s+", " "));
            return "-";
        } finally {
            sinks.forEach(ModelSink::close);
        }
    }

    /** Carries tokens through the blocks as a method leaves them, before they are rounded. */
    private static final class Transformed implements ModelSink {

        private final Decoder decoder;
        private final int[][] ids;
        private ModelEnds ends;
        private Hidden state;

        Transformed(HfModel model, int[][] ids) {
            this.decoder = new Decoder(model.spec());
            this.ids = ids;
        }

        Matrix logits() {
            return decoder.logits(ends, state);
        }

        @Override
        public void ends(ModelEnds e) {
            ends = e;
            state = decoder.embed(e, ids);
        }

        @Override
        public void block(Block block, List<LayerResult> layers) {
            block.linears().forEach(l -> l.setQuantized(false));
            state = decoder.block(block, state, ForwardHooks.NONE);
            block.linears().forEach(l -> l.setQuantized(true));
        }

        @Override
        public Written finish() {
            return new Written(Path.of("."), List.of(), List.of());
        }

        @Override
        public List<String> verify() {
            return List.of();
        }

        @Override
        public void close() {
            // nothing is open
        }
    }

    private String gguf(HfModel m, String variant) {
        try (GgufSink sink = new GgufSink(new GgufTarget(dir, variant, FileType.byName("Q8_0").orElseThrow(), ImportanceMatrix.NONE, 0, Optional.empty()), m.spec())) {
            new BlockFold(m, RunConfig.of("RTN", Map.of(), SchemePlan.of(SYMMETRIC)), List.of(sink), RunListener.NONE).run();
            assertEquals(List.of(), sink.verify(), variant);
            return "yes";
        } catch (BadInput e) {
            REASONS.computeIfAbsent("gguf", k -> new LinkedHashSet<>()).add(variant + ": " + e.getMessage().replaceAll("\\s+", " "));
            return "-";
        }
    }

    @AfterAll
    static void print() {
        List<String> head = new ArrayList<>(List.of("variant", "family", "logits"));
        for (Column c : columns()) {
            head.add(c.name());
            if (!c.export().isEmpty()) {
                head.add(c.export());
            }
        }
        head.add("gguf");
        System.out.println("| " + String.join(" | ", head) + " |");
        System.out.println("|" + " --- |".repeat(head.size()));
        TABLE.forEach((variant, row) -> System.out.println("| " + variant + " | " + String.join(" | ", row) + " |"));
        REASONS.forEach((what, why) -> why.forEach(w -> System.out.println("  " + what + " not for " + (w.length() > 220 ? w.substring(0, 220) + " ..." : w))));
    }
}
