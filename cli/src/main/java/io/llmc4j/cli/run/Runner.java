package io.llmc4j.cli.run;

import io.llmc4j.cli.console.Progress;
import io.llmc4j.cli.console.Text;
import io.llmc4j.cli.report.PeakMemory;
import io.llmc4j.cli.report.Report;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.evaluate.EvaluationResult;
import io.llmc4j.engine.journal.Boundary;
import io.llmc4j.engine.journal.Fingerprint;
import io.llmc4j.engine.journal.RunJournal;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.pipeline.ResumableSink;
import io.llmc4j.engine.pipeline.RunSummary;
import io.llmc4j.engine.pipeline.TargetBits;
import io.llmc4j.engine.safetensors.AtomicFile;
import io.llmc4j.engine.safetensors.ShardedWriter;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.export.OutputDirectory;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.TensorFate;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Runs a job: opens its outputs, lets the fold go, has what was written read back, writes the report. */
public final class Runner {

    /** Exit code of a run whose output does not hold what was computed. */
    private static final int UNSOUND = 3;

    private Job job;
    private Optional<BitChoice> bits = Optional.empty();
    private final boolean overwrite;
    private final boolean resume;
    private final PrintWriter err;
    private final boolean json;
    private final PrintWriter out;
    private final Progress progress;

    /**
     * @param overwrite an output that is in the way is replaced, and an unfinished run there is forgotten
     * @param resume    an unfinished run there goes on
     */
    public Runner(Job job, boolean overwrite, boolean resume, boolean json, PrintWriter out, PrintWriter err) {
        this.resume = resume;
        this.err = err;
        this.job = job;
        this.overwrite = overwrite;
        this.json = json;
        this.out = out;
        this.progress = Progress.of(err);
    }

    /** Where the journal of a run that writes to these places is; empty: the run writes nothing, and has none. */
    public static Optional<RunJournal.Place> place(List<Outputs.Target> targets, Optional<Path> reportDirectory) {
        if (targets.isEmpty()) {
            return Optional.empty();
        }
        Path first = targets.getFirst().directory();
        return Optional.of(targets.size() == 1 && reportDirectory.map(first::equals).orElse(true) ? RunJournal.Place.beside(first)
                : RunJournal.Place.in(reportDirectory.orElseGet(() -> first.toAbsolutePath().getParent())));
    }

    /** @return 0, or 3 when the check of an output failed */
    public int run() {
        PlanPrinter.checkSpace(job, Estimate.of(job), resume ? kept() : 0);
        Optional<RunJournal.Place> place = place(job.targets(), job.reportDirectory());
        try (HeapKeeper keeper = HeapKeeper.start(MemoryNeed.of(job, job.run().memory().chunkTokens()).heap())) {
            return place.isEmpty() ? run(Optional.empty()) : journalled(place.get());
        }
    }

    private int journalled(RunJournal.Place place) {
        int blocks = job.shape().spec().blocks();
        Fingerprint fingerprint = Fingerprints.of(job);
        try (RunJournal journal = resume ? RunJournal.resume(place, fingerprint, blocks) : RunJournal.begin(place, fingerprint, blocks, overwrite);
             StopHook hook = StopHook.install(journal, err)) {
            if (resume && journal.boundary().isEmpty()) {
                progress.say("there is no unfinished run into " + place.output() + "; starting from the beginning");
            }
            int code = run(Optional.of(journal));
            journal.delete();
            return code;
        }
    }

    /** Bytes that an unfinished run has on the disk already. */
    private long kept() {
        List<Path> places = new ArrayList<>(job.targets().stream().map(t -> OutputDirectory.staging(t.directory())).toList());
        place(job.targets(), job.reportDirectory()).map(RunJournal.Place::directory).ifPresent(places::add);
        long sum = 0;
        for (Path p : places) {
            try (Stream<Path> all = Files.isDirectory(p) ? Files.walk(p) : Stream.empty()) {
                for (Path f : all.filter(Files::isRegularFile).toList()) {
                    sum += Files.size(f);
                }
            } catch (IOException e) {
                throw new BadInput(BadInput.Common.OUTPUT, p + " cannot be read: " + e.getMessage(), e);
            }
        }
        return sum;
    }

    private int run(Optional<RunJournal> journal) {
        HfModel model = job.model().orElseThrow();
        List<ModelSink> sinks = new ArrayList<>();
        boolean prepared = journal.flatMap(RunJournal::boundary).map(Boundary::prepared).orElse(false);
        try {
            for (Outputs.Target t : job.targets()) {
                sinks.add(Exports.open(t.format(), model, t.directory(), ShardedWriter.DEFAULT_SHARD_BYTES, overwrite || prepared));
            }
            job.data().forEach(progress::say);
            chooseBits();
            Watcher watcher = new Watcher(out, progress, !json, job.layers());
            BlockFold fold = new BlockFold(model, job.run(), sinks, watcher);
            RunSummary summary = journal.map(fold::withJournal).orElse(fold).run();
            progress.step(Double.MAX_VALUE, "reading back what was written");
            List<String> differences = new ArrayList<>();
            sinks.forEach(s -> differences.addAll(s.verify()));
            progress.clear();
            List<String> saved = Artifacts.write(summary.artifacts(), job.run().methods().isEmpty() ? Map.of() : job.run().methods().getFirst().special());
            Report report = report(summary);
            write(report);
            tell(summary, differences, saved, report);
            return differences.isEmpty() ? 0 : UNSOUND;
        } catch (RuntimeException | Error e) {
            journal.flatMap(RunJournal::boundary).ifPresent(b -> keep(b, sinks));
            if (e instanceof BadInput b) {
                throw RunFailed.of(b);
            }
            throw e;
        } finally {
            progress.clear();
            sinks.forEach(ModelSink::close);
        }
    }

    /** A width for each layer, the same at every start of a run. */
    private void chooseBits() {
        if (job.target().isEmpty()) {
            return;
        }
        BitTarget target = job.target().get();
        TargetBits.Choice choice = TargetBits.choose(job.model().orElseThrow(), job.run(), target.widths(), target.average(), new Watcher(out, progress, !json, job.layers()));
        job = job.with(choice.schemes());
        bits = Optional.of(new BitChoice(target, choice));
        progress.clear();
        if (!json) {
            bits.get().print(out);
        }
    }

    /** What is done stays, and the user is told. */
    private void keep(Boundary b, List<ModelSink> sinks) {
        sinks.forEach(s -> {
            if (s instanceof ResumableSink r) {
                r.suspend();
            }
        });
        progress.clear();
        progress.say(b.blocksDone() + " of " + job.shape().spec().blocks() + " blocks are kept; when what follows is mended, the same command with --resume goes on from there");
    }

    private Report report(RunSummary s) {
        List<Report.Evaluation> evaluations = s.evaluations().stream().map(e -> new Report.Evaluation(e.position().label(), e.data(), e.seqLen(), e.windows(), e.tokens(),
                e.value())).toList();
        List<Report.Layer> layers = s.layers().stream().map(l -> new Report.Layer(l.name(), List.of(l.out(), l.in()), l.bits(), l.meanSquaredError(), l.relativeError(),
                l.seconds(), l.notes())).toList();
        List<String> dropped = new ArrayList<>();
        List<Report.WrittenFile> files = new ArrayList<>();
        for (ModelSink.Written w : s.written()) {
            w.dropped().stream().filter(d -> !dropped.contains(d)).forEach(dropped::add);
            for (ModelSink.WrittenFile f : w.files()) {
                files.add(new Report.WrittenFile(fromReport(w.directory().resolve(f.name())), f.bytes(), f.sha256()));
            }
        }
        return new Report(job.config().model().path(), job.methodNames(), job.config().document(), job.config().seed(), evaluations, bits.map(BitChoice::asMap).orElse(Map.of()), layers,
                losses(s), carried(), dropped, files, DeviceSession.account(), PeakMemory.bytes(), progress.seconds());
    }

    /** Where a directory of safetensors is written. */
    private List<String> carried() {
        boolean directory = job.targets().stream().anyMatch(t -> !t.format().name().startsWith("gguf"));
        return !directory ? List.of() : job.model().orElseThrow().account().stream().filter(f -> f.fate() == TensorFate.Fate.CARRIED).map(f -> f.tensor() + ": " + f.note()).toList();
    }

    private static Map<String, List<Float>> losses(RunSummary s) {
        Map<String, List<Float>> out = new LinkedHashMap<>();
        s.artifacts().getOrDefault(RunSummary.LOSSES, Map.of()).forEach((key, m) -> {
            List<Float> values = new ArrayList<>();
            for (float v : m.data()) {
                values.add(v);
            }
            out.put(key, values);
        });
        return out;
    }

    /** Names in the report are relative to where it lies. */
    private String fromReport(Path file) {
        Path base = job.reportDirectory().map(d -> d.toAbsolutePath().normalize()).orElse(Path.of("").toAbsolutePath());
        Path absolute = file.toAbsolutePath().normalize();
        return absolute.startsWith(base) ? base.relativize(absolute).toString() : absolute.toString();
    }

    private void write(Report report) {
        if (job.reportDirectory().isEmpty()) {
            return;
        }
        Path directory = job.reportDirectory().get();
        try {
            Files.createDirectories(directory);
        } catch (IOException e) {
            throw AtomicFile.unwritable(directory, e);
        }
        AtomicFile.write(directory.resolve("report.json"), report.json().getBytes(StandardCharsets.UTF_8));
    }

    private void tell(RunSummary s, List<String> differences, List<String> saved, Report report) {
        if (json) {
            out.print(report.json());
            out.flush();
            differences.forEach(progress::say);
            return;
        }
        out.println();
        List<EvaluationResult> es = s.evaluations();
        es.forEach(e -> out.println(Watcher.line(e)));
        s.notes().forEach(n -> out.println("note: " + n));
        for (ModelSink.Written w : s.written()) {
            long bytes = w.files().stream().mapToLong(ModelSink.WrittenFile::bytes).sum();
            out.println(w.files().size() + " files, " + Text.bytes(bytes) + ", in " + w.directory());
            w.dropped().forEach(d -> out.println("  not written: " + d));
        }
        saved.forEach(out::println);
        if (differences.isEmpty()) {
            if (!s.written().isEmpty()) {
                out.println("read back: every tensor agrees with what was computed");
            }
        } else {
            out.println("READ BACK: " + differences.size() + " differences between what was computed and what the written files hold:");
            differences.forEach(d -> out.println("  " + d));
        }
        report.devices().forEach(d -> out.println("device: " + d));
        job.reportDirectory().ifPresent(d -> out.println("report in " + d.resolve("report.json")));
        out.println(String.format(Locale.ROOT, "done in %s, at most %s of memory", Text.duration(report.seconds()), Text.bytes(report.peakRssBytes())));
        out.flush();
    }
}
