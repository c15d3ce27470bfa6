package io.llmc4j.safety;

import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.engine.journal.Fingerprint;
import io.llmc4j.engine.journal.RunJournal;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.RunSummary;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.RangeRule;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.hf.HfModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.stream.Stream;

/** A run with several shards and two outputs that may be killed and taken up, as a process of its own or inside the test. */
final class KilledRun {

    private static final long SHARD = 400_000;

    private KilledRun() {
    }

    /** model directory, output directory, method, "resume" or "begin"; bytes of states that may stay in memory and number of samples. */
    public static void main(String[] args) throws IOException {
        Path out = Path.of(args[1]);
        RunConfig config = args.length > 4 ? spilling(config(args[2], Map.of(), Integer.parseInt(args[5])), Long.parseLong(args[4])) : config(args[2], Map.of());
        RunSummary s = run(Path.of(args[0]), out, config, args[3].equals("resume"), RunListener.NONE);
        Files.writeString(out.resolve("values.txt"), s.evaluations().stream().map(e -> Double.toHexString(e.value())).toList() + " " + s.layers().size());
    }

    static RunConfig config(String method, Map<String, Object> special) {
        return config(method, special, 4);
    }

    private static RunConfig config(String method, Map<String, Object> special, int count) {
        SplittableRandom random = new SplittableRandom(5);
        int[][] samples = new int[count][];
        for (int i = 0; i < samples.length; i++) {
            samples[i] = random.ints(24, 0, 512).toArray();
        }
        SchemePlan schemes = method.equals("SmoothQuant")
                ? SchemePlan.of(QuantScheme.integer(8, true, Granularity.PER_CHANNEL), QuantScheme.integer(8, true, Granularity.PER_TOKEN))
                : SchemePlan.of(method.equals("OmniQuant")
                        ? QuantScheme.integer(4, true, Granularity.perGroup(32)).withRange(new RangeRule.Learnable()).withGradients(true, false)
                        : QuantScheme.integer(4, true, Granularity.perGroup(32)));
        return RunConfig.of(method, special, schemes).withCalibration(new CalibrationSet("random", samples, 1, 24)).withQuantOut(true)
                .withMemory(new RunConfig.Memory(1 << 16, 48))
                .withEvaluations(List.of(Evaluation.perplexity("random", samples, Position.PRETRAIN, Position.FAKE_QUANT)));
    }

    /** The same with so many bytes of states in memory; the others spill. */
    private static RunConfig spilling(RunConfig c, long bytes) {
        return c.withMemory(new RunConfig.Memory(bytes, c.memory().chunkTokens()));
    }

    static RunSummary run(Path model, Path out, RunConfig config, boolean resume, RunListener listener) throws IOException {
        return run(model, out, config, resume, listener, List.of(config.schemes().activation().isPresent() ? "vllm" : "gptq", "gguf:q8_0"));
    }

    /** Each format in a directory of its own. */
    static RunSummary run(Path model, Path out, RunConfig config, boolean resume, RunListener listener, List<String> formats) throws IOException {
        Files.createDirectories(out);
        Fingerprint print = Fingerprint.of(config);
        try (HfModel m = HfModel.open(model);
             RunJournal journal = resume ? RunJournal.resume(RunJournal.Place.in(out), print, m.spec().blocks())
                     : RunJournal.begin(RunJournal.Place.in(out), print, m.spec().blocks(), false)) {
            List<ModelSink> sinks = new ArrayList<>();
            boolean there = journal.boundary().map(b -> b.prepared()).orElse(false);
            for (String f : formats) {
                sinks.add(Exports.open(Exports.named(f), m, out.resolve(f.replace(':', '-')), SHARD, there));
            }
            boolean done = false;
            try {
                RunSummary s = new BlockFold(m, config, sinks, listener).withJournal(journal).run();
                for (ModelSink sink : sinks) {
                    if (!sink.verify().isEmpty()) {
                        throw new IllegalStateException(sink.verify().toString());
                    }
                }
                done = true;
                journal.delete();
                return s;
            } finally {
                if (done) {
                    sinks.forEach(ModelSink::close);
                } else {
                    sinks.forEach(s -> ((io.llmc4j.engine.pipeline.ResumableSink) s).suspend());
                }
            }
        }
    }

    /** Every file by path, with its checksum. */
    static Map<String, String> files(Path root) throws IOException {
        Map<String, String> out = new TreeMap<>();
        try (Stream<Path> all = Files.walk(root)) {
            for (Path p : all.filter(Files::isRegularFile).toList()) {
                out.put(root.relativize(p).toString(), HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(p))));
            }
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
        return out;
    }
}
