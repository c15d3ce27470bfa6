package io.llmc4j.cli.run;

import io.llmc4j.cli.console.Progress;
import io.llmc4j.cli.console.Text;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.evaluate.EvaluationResult;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Follows a run: a table row a linear layer and the perplexities on standard output, progress on standard error. */
final class Watcher implements RunListener {

    private final PrintWriter out;
    private final Progress progress;
    private final boolean rows;
    private final int nameWidth;
    private int block = -1;
    private int blocks = 1;
    private boolean heading;
    private final Map<String, List<Double>> losses = new LinkedHashMap<>();

    /** @param rows false with {@code --json}: standard output is the report's alone */
    Watcher(PrintWriter out, Progress progress, boolean rows, List<PlannedRunLayer> planned) {
        this.out = out;
        this.progress = progress;
        this.rows = rows;
        this.nameWidth = planned.stream().mapToInt(l -> l.name().length()).max().orElse(20);
    }

    @Override
    public void started(RunConfig config, int n) {
        blocks = n;
        progress.total(blocks);
    }

    @Override
    public void resumed(int blocksDone, int n) {
        block = blocksDone;
        progress.say("going on behind block " + blocksDone + " of " + n);
    }

    private double work() {
        return Math.max(0, block);
    }

    @Override
    public void phase(String what) {
        progress.step(work(), what);
    }

    @Override
    public void blockStarted(int index, int n) {
        block = index;
        progress.at(work(), "block " + (index + 1) + " of " + n);
    }

    @Override
    public void stageStarted(int index, String stage) {
        progress.at(work(), "block " + (index + 1) + " of " + blocks + ", " + stage);
    }

    @Override
    public void epochDone(int index, String stage, int epoch, double loss) {
        losses.computeIfAbsent(stage, s -> new ArrayList<>()).add(loss);
        progress.at(work(), "block " + (index + 1) + " of " + blocks + ", " + stage + ", epoch " + (epoch + 1) + String.format(Locale.ROOT, ", loss %.4g", loss));
    }

    @Override
    public void layerDone(LayerResult layer) {
        if (!rows) {
            return;
        }
        progress.clear();
        if (!heading) {
            heading = true;
            out.println(String.format(Locale.ROOT, "%5s  %-" + nameWidth + "s  %14s  %6s  %10s  %9s  %7s  %s", "block", "layer", "shape", "bits", "mse", "rel.error",
                    "seconds", "notes").stripTrailing());
        }
        out.println(String.format(Locale.ROOT, "%5d  %-" + nameWidth + "s  %14s  %6.3f  %10.3e  %9.5f  %7.2f  %s", block, layer.layer().name(),
                "[" + layer.layer().out() + ", " + layer.layer().in() + "]", layer.bits(), layer.meanSquaredError(), layer.relativeError(), layer.seconds(),
                String.join("; ", layer.notes())).stripTrailing());
        out.flush();
    }

    @Override
    public void blockDone(int index, int n, double seconds) {
        block = index + 1;
        losses.forEach((stage, values) -> progress.say(String.format(Locale.ROOT, "block %d, %s: loss by epoch %s", index, stage,
                String.join(" ", values.stream().map(v -> String.format(Locale.ROOT, "%.4g", v)).toList()))));
        losses.clear();
        progress.step(work(), "block " + (index + 1) + " of " + n + " done in " + Text.duration(seconds));
    }

    @Override
    public void evaluationDone(EvaluationResult r) {
        progress.at(work(), r.position().label() + " evaluated");
    }

    /** "perplexity  pretrain    57.216  (eval.txt …: 64 windows of 256, 16 320 predictions)". */
    static String line(EvaluationResult r) {
        boolean perplexity = r.kind() == Evaluation.Kind.PERPLEXITY;
        return String.format(Locale.ROOT, "%s  %-16s  %s  (%s, %d windows of %d, %s tokens)", perplexity ? "perplexity" : "token agreement", r.position().label(),
                String.format(Locale.ROOT, perplexity ? "%.4f" : "%.5f", r.value()), r.data(), r.windows(), r.seqLen(), Text.count(r.tokens()));
    }

    @Override
    public void note(String text) {
        progress.say("note: " + text);
    }

}
