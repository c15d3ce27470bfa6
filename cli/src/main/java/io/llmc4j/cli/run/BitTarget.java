package io.llmc4j.cli.run;

import io.llmc4j.cli.config.LlmcConfig;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.pipeline.LayerScheme;
import io.llmc4j.engine.pipeline.TargetBits;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.formats.export.ExportFormat;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.export.PlannedLayer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;

/**
 * {@code target_bits} of a run that has not begun: what widths may be chosen from, so that every output can carry any choice.
 *
 * @param average bits of a quantized weight, scales and zero points included
 * @param widths  rising, at least two
 */
public record BitTarget(double average, List<Integer> widths) {

    /**
     * Throws BadInput when weights are not integers, when an output cannot hold layers of several widths (naming those that can), or when no choice
     * of widths has the average.
     *
     * @param seen a layer as the rules of formats see it
     */
    static BitTarget of(LlmcConfig.BitTarget asked, List<PlannedRunLayer> layers, List<Outputs.Target> targets, Function<PlannedRunLayer, PlannedLayer> seen) {
        List<PlannedRunLayer> quantized = layers.stream().filter(l -> l.scheme().quantized()).toList();
        if (quantized.isEmpty()) {
            throw BadInput.of(BadInput.Common.CONFIG, "%s: no layer is to be quantized, so there is nothing to choose bits for", asked.mark());
        }
        List<Integer> widths = asked.widths().isEmpty() ? TargetBits.WIDTHS : asked.widths();
        widened(layers, List.of(widths.getFirst()));
        List<Integer> carried = widths.stream().filter(w -> targets.stream().allMatch(t -> able(t.format(), layers, List.of(w), seen))).toList();
        boolean narrowed = carried.size() < widths.size() && !asked.widths().isEmpty();
        for (Outputs.Target t : targets) {
            if (narrowed || carried.size() < 2 || !able(t.format(), layers, carried, seen)) {
                throw refusal(asked, widths, t.format(), layers, seen);
            }
        }
        double least = average(quantized, carried.getFirst());
        double most = average(quantized, carried.getLast());
        if (asked.average() < least || asked.average() > most) {
            throw BadInput.of(BadInput.Common.CONFIG, "%s: an average of %s bits cannot be had: widths %s take %.3f to %.3f bits a weight with their scales and zero points; "
                    + "choose a number between, or %s", asked.mark(), text(asked.average()), list(carried), least, most,
                    asked.average() < least ? "larger groups" : "a fixed width (--bits, quant.weight.bit)");
        }
        return new BitTarget(asked.average(), carried);
    }

    private static BadInput refusal(LlmcConfig.BitTarget asked, List<Integer> widths, ExportFormat format, List<PlannedRunLayer> layers,
            Function<PlannedRunLayer, PlannedLayer> seen) {
        List<Integer> own = widths.stream().filter(w -> able(format, layers, List.of(w), seen)).toList();
        List<String> others = Exports.all().stream().filter(f -> {
            List<Integer> theirs = asked.widths().isEmpty() ? widths.stream().filter(w -> able(f, layers, List.of(w), seen)).toList() : widths;
            return theirs.size() > 1 && able(f, layers, theirs, seen);
        }).map(ExportFormat::name).toList();
        String why = format.roundsAgain() ? "rounds every weight once more, to types of its own" : own.isEmpty() ? "carries none of them for this run"
                : own.size() == 1 ? "carries " + own.getFirst() + " alone" : "carries " + list(own);
        return BadInput.of(BadInput.Common.FORMAT, "%s: target bits gives layers widths of %s, and export %s %s; %s", asked.mark(), list(widths), format.name(), why,
                others.isEmpty() ? "no format can carry such a run" : "these can: " + String.join(", ", others));
    }

    /** Whether a format holds a model whose layers have these widths in turn; what one server fuses has one width. */
    private static boolean able(ExportFormat format, List<PlannedRunLayer> layers, List<Integer> widths, Function<PlannedRunLayer, PlannedLayer> seen) {
        return !format.roundsAgain() && Exports.carries(format, widened(layers, widths).stream().map(seen).toList());
    }

    private static List<PlannedRunLayer> widened(List<PlannedRunLayer> layers, List<Integer> widths) {
        List<PlannedRunLayer> out = new ArrayList<>();
        for (PlannedRunLayer l : layers) {
            int turn = 2 * l.block() + (l.role().isExpert() || List.of(Role.GATE, Role.UP, Role.DOWN).contains(l.role()) ? 1 : 0);
            LayerScheme s = l.scheme();
            Optional<QuantScheme> weight = s.quantized() ? s.weight().map(w -> TargetBits.widened(w, widths.get(turn % widths.size()))) : s.weight();
            out.add(l.with(new LayerScheme(weight, s.activation(), s.deployed())));
        }
        return out;
    }

    private static double average(List<PlannedRunLayer> quantized, int width) {
        List<PlannedRunLayer> all = widened(quantized, List.of(width));
        return all.stream().mapToDouble(l -> l.bits() * l.weights()).sum() / all.stream().mapToLong(PlannedRunLayer::weights).sum();
    }

    /** "2, 3, 4 and 8". */
    static String list(List<Integer> widths) {
        List<String> s = widths.stream().map(String::valueOf).toList();
        return s.size() == 1 ? s.getFirst() : String.join(", ", s.subList(0, s.size() - 1)) + " and " + s.getLast();
    }

    static String text(double bits) {
        return String.format(Locale.ROOT, "%.3f", bits).replaceFirst("\\.?0+$", "");
    }

    @Override
    public String toString() {
        return text(average) + " bits on average out of " + list(widths);
    }
}
