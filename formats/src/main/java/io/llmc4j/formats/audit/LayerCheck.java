package io.llmc4j.formats.audit;

import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.RangeRule;
import io.llmc4j.engine.tensor.Matrix;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** One layer: its codes by the rules of their grid, its weight against what it should be, and why it is off where it is. */
final class LayerCheck {

    /** A layer this much worse than plain rounding is named; rounding methods that look at inputs give up a little of the weights' own accuracy. */
    static final double WORSE = 1.25;
    private static final double WARNED = 2.2;
    private static final double BROKEN = 3.2;
    /** Relative error above which nothing but noise is left, whatever the grid. */
    private static final double NOISE = 0.95;
    /** Floats that should be the original's differ by more than their rounding. */
    private static final double ROUNDED_FLOAT = 0.01;
    /** Fine search for the least error; a tenth of LLMC's steps gives its result within a percent. */
    private static final RangeRule LEAST_ERROR = new RangeRule.Mse(1, 0.5, 20, false);

    private final int block;
    private final String name;
    private final Linear original;
    private final Matrix stored;
    private final Consumer<Finding> found;
    private Optional<String> cause = Optional.empty();
    private boolean sound = true;

    LayerCheck(int block, String name, Linear original, Matrix stored, Consumer<Finding> found) {
        this.block = block;
        this.name = name;
        this.original = original;
        this.stored = stored;
        this.found = found;
    }

    private void fault(Finding.Rule rule, String message, Object... args) {
        sound = false;
        found.accept(Finding.fault(rule, name, message, args));
    }

    /**
     * A layer that is stored as floats, or in blocks that have no codes of ours. {@code claimed}: it is quantized all the same, and
     * {@code plain} is what the usual rounding to such blocks gives, where it is known.
     */
    LayerAudit withoutCodes(ExpectedWeights.Expected expected, String reference, String scheme, double bits, boolean claimed, Optional<Double> plain, Supplier<Optional<String>> elsewhere) {
        MatrixError e = MatrixError.of(expected.weight(), stored);
        double limit = plain.map(p -> BROKEN * p + 1e-3).orElse(claimed ? NOISE : ROUNDED_FLOAT);
        if (!finite(e)) {
            fault(Finding.Rule.NON_FINITE, "its weight holds NaN or infinity");
        } else if (e.relative() > limit) {
            explain(e, expected.weight(), Optional.empty(), 0, elsewhere);
            if (cause.isPresent() || claimed || e.relative() > 0.3) {
                fault(Finding.Rule.LAYER, "it is not the original's (relative error %.4f)%s", e.relative(), because());
            } else {
                found.accept(Finding.warning(Finding.Rule.LAYER, name, "it is stored as floats, and they are not the original's (relative error %.4f): transformed, or "
                        + "quantized and dequantized", e.relative()));
            }
        }
        boolean worse = plain.map(p -> e.relative() > WORSE * p + 1e-4).orElse(false);
        return new LayerAudit(block, name, original.role(), original.expert(), original.out(), original.in(), scheme, bits, reference, e, plain, Optional.empty(),
                Optional.empty(), Optional.empty(), worse, cause, sound);
    }

    /** A layer with codes. */
    LayerAudit withCodes(QuantizedMatrix q, double bits, ExpectedWeights.Expected expected, String comparedWith, Supplier<Optional<String>> elsewhere) {
        CodeGrid grid = new CodeGrid(q);
        Matrix reference = expected.weight();
        MatrixError e = MatrixError.of(reference, stored);
        Matrix plain = grid.plain(reference, new RangeRule.MinMax()).orElse(reference);
        double plainError = MatrixError.relative(reference, plain);
        Optional<Double> least = searchable(q) ? grid.plain(reference, LEAST_ERROR).map(m -> MatrixError.relative(reference, m)) : Optional.empty();
        CodeGrid.Usage usage = grid.usage();
        scales(grid, reference);
        codes(grid, usage);
        boolean worse = e.relative() > WORSE * plainError + 1e-4;
        if (!finite(e)) {
            fault(Finding.Rule.NON_FINITE, "its decoded weight holds NaN or infinity");
        } else {
            compare(grid, reference, plain, e, plainError, elsewhere);
        }
        double saturated = (double) usage.saturated() / Math.max(1, q.codes().length);
        return new LayerAudit(block, name, original.role(), original.expert(), q.rows(), q.cols(), CodeGrid.label(q.scheme()), bits, comparedWith, e,
                Optional.of(plainError), least, Optional.of(saturated), Optional.of(new LayerAudit.Levels(usage.used(), grid.levels())), worse, cause, sound);
    }

    private static boolean searchable(QuantizedMatrix q) {
        Granularity.Kind kind = q.scheme().granularity().kind();
        return q.scheme().isInteger() && (kind == Granularity.Kind.PER_GROUP || kind == Granularity.Kind.PER_CHANNEL);
    }

    private static boolean finite(MatrixError e) {
        return e.max() - e.max() == 0;
    }

    private String because() {
        return cause.map(c -> "; likely cause: " + c).orElse("");
    }

    private void compare(CodeGrid grid, Matrix reference, Matrix plain, MatrixError e, double plainError, Supplier<Optional<String>> elsewhere) {
        boolean broken = e.relative() > BROKEN * plainError + 1e-3 || e.relative() > NOISE || e.cosine() < 0.5;
        if (e.relative() > 1.5 * plainError + 1e-4 || broken) {
            explain(e, reference, Optional.of(grid), plainError, elsewhere);
        }
        if (cause.isPresent()) {
            fault(Finding.Rule.LAYER, "relative error %.4f, plain rounding has %.4f; likely cause: %s", e.relative(), plainError, cause.get());
            return;
        }
        RangeCauses ranges = new RangeCauses(grid, reference);
        List<RangeCauses.Cause> causes = ranges.find(RangeErrors.of(grid, reference, stored, plain)).stream()
                .filter(c -> !broken || !c.what().isEmpty()).toList();
        for (RangeCauses.Cause c : causes) {
            cause = Optional.of(ranges.sentence(c));
            fault(c.what().contains("zero point") ? Finding.Rule.ZERO_POINT : c.what().contains("scale") ? Finding.Rule.SCALE : Finding.Rule.LAYER, "%s", cause.get());
        }
        if (!causes.isEmpty()) {
            return;
        }
        if (broken) {
            fault(Finding.Rule.LAYER, "relative error %.4f, plain rounding on the same grid has %.4f: this is not a rounding of the original's weight, and no known mistake "
                    + "explains it", e.relative(), plainError);
        } else if (e.relative() > WARNED * plainError + 1e-4) {
            found.accept(Finding.warning(Finding.Rule.LAYER, name, "relative error %.4f, %.1f times that of plain rounding on the same grid", e.relative(),
                    e.relative() / plainError));
        }
    }

    /** Sets the cause when a hypothesis takes most of the error away. */
    private void explain(MatrixError e, Matrix reference, Optional<CodeGrid> grid, double plainError, Supplier<Optional<String>> elsewhere) {
        boolean allZero = true;
        for (int i = 0; i < stored.data().length && allZero; i++) {
            allZero = stored.data()[i] == 0f;
        }
        if (allZero) {
            cause = Optional.of(original.expert() >= 0 ? "the expert is dropped: all of its weights are zero" : "all of its weights are zero");
            return;
        }
        Optional<LayerCauses.Cause> best = new LayerCauses(reference, stored, grid).best();
        double enough = grid.isPresent() ? 2 * plainError + 1e-3 : 0.25 * e.relative();
        if (best.isPresent() && best.get().relative() < 0.6 * e.relative() && best.get().relative() < enough) {
            cause = best.map(LayerCauses.Cause::what);
        } else if (e.cosine() < 0.7) {
            cause = elsewhere.get();
        }
    }

    private void scales(CodeGrid grid, Matrix reference) {
        float[] s = grid.codes().scales();
        int negative = 0;
        java.util.BitSet zero = new java.util.BitSet();
        for (int i = 0; i < s.length; i++) {
            negative += s[i] < 0 ? 1 : 0;
            zero.set(i, s[i] == 0);
        }
        if (negative > 0) {
            found.accept(Finding.warning(Finding.Rule.SCALE, name, "%d of %d scales are negative", negative, s.length));
        }
        if (zero.isEmpty()) {
            return;
        }
        java.util.BitSet lost = new java.util.BitSet();
        for (int r = 0; r < grid.rows(); r++) {
            for (int c = 0; c < grid.cols(); c++) {
                int at = grid.range(r, c);
                if (zero.get(at) && reference.get(r, c) != 0) {
                    lost.set(at);
                }
            }
        }
        if (!lost.isEmpty()) {
            fault(Finding.Rule.SCALE, "%d of %d scales are zero where the original's weights are not (underflow): first %s", lost.cardinality(), s.length,
                    grid.place(lost.nextSetBit(0)));
        }
    }

    private void codes(CodeGrid grid, CodeGrid.Usage usage) {
        QuantizedMatrix q = grid.codes();
        if (usage.outside() > 0) {
            fault(Finding.Rule.CODES, "%d codes are outside of the grid of %s", usage.outside(), CodeGrid.label(q.scheme()));
        }
        if (q.scheme().format() instanceof NumberFormat.Int f) {
            int beyond = 0;
            for (float z : q.zeros()) {
                beyond += f.qmin() >= 0 && (z < f.qmin() || z > f.qmax()) ? 1 : 0;
            }
            if (beyond > 0) {
                found.accept(Finding.warning(Finding.Rule.ZERO_POINT, name, "%d of %d zero points are outside of the codes %d to %d", beyond, q.zeros().length, f.qmin(), f.qmax()));
            }
        }
        int levels = grid.levels();
        if (usage.used() <= levels / 2 + 1 && levels > 4 && q.codes().length >= 64 * levels) {
            found.accept(Finding.warning(Finding.Rule.LEVELS, name, "only %d of the grid's %d levels occur in %d codes: rounded with fewer bits than it is stored with?",
                    usage.used(), levels, q.codes().length));
        }
    }
}
