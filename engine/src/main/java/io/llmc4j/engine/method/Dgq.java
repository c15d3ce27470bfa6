package io.llmc4j.engine.method;

import io.llmc4j.engine.calibrate.Inputs;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.quant.ActivationRounding;
import io.llmc4j.engine.quant.ActivationRoundings;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.WeightRounding;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * Dual-grained quantization, W4A8 (arXiv 2310.04836; spec 3.13): 4-bit group codes whose values lie on an 8-bit grid of their row, after smoothing.
 * Looks at the first logical batch only.
 *
 * <p>LLMC searches for the smoothed weights with unsmoothed inputs (ODD-56), divides the rows of the up projection after it has found their scales, and
 * does not see in the search how codes will be limited (ODD-57); ours smooths all layers and their inputs first and searches for what is deployed, except
 * under {@code compat: llmc}.
 */
final class Dgq implements Method {

    @Override
    public String name() {
        return "DGQ";
    }

    @Override
    public MethodInfo info() {
        return new MethodInfo("4-bit group codes on an 8-bit grid of each row, after smoothing (W4A8)", "arXiv 2310.04836", MethodInfo.Data.ALWAYS);
    }

    @Override
    public List<Stage> recipe(MethodOptions options) {
        return List.of(new DualGrain());
    }

    private record DualGrain() implements Round {

        private static final float SMALLEST = 1e-5f;
        private static final float QUIET = 1e-4f;
        private static final double KEPT = 0.005;

        @Override
        public String name() {
            return "DGQ";
        }

        @Override
        public Needs needs() {
            return Needs.of(Need.INPUTS);
        }

        @Override
        public void prepare(ModelWork model) {
            Misfits.refuse(model, (layer, scheme) -> {
                if (!(scheme.weight().orElseThrow().format() instanceof NumberFormat.Int4OverInt8 f)) {
                    return Optional.of("has no w_1 and w_2");
                }
                boolean groups = f.four().isInteger() && f.four().granularity().kind() == Granularity.Kind.PER_GROUP && !f.four().symmetric();
                boolean rows = f.eight().isInteger() && f.eight().granularity().kind() == Granularity.Kind.PER_CHANNEL;
                if (!groups || !rows) {
                    return Optional.of("has w_1 " + f.four().granularity().kind() + (f.four().symmetric() ? ", symmetric" : "") + ", w_2 " + f.eight().granularity().kind());
                }
                int g = f.four().granularity().size();
                return layer.in() % g == 0 ? Optional.empty() : Optional.of("in_features " + layer.in() + " with group_size " + g);
            }, "DGQ needs quant.weight.w_1 (integer, asymmetric, per_group, a group_size that divides in_features) and w_2 (integer, per_channel)",
                    "change them, or list these layers under ignored_layers");
        }

        @Override
        public void apply(BlockWork work) {
            List<Subset> subsets = work.block().subsets();
            if (work.llmcCompatible()) {
                List<Matrix> seen = subsets.stream().map(s -> firstBatch(work.inputs(s))).toList();
                for (int i = 0; i < subsets.size(); i++) {
                    smooth(work, subsets.get(i), seen.get(i));
                    search(work, subsets.get(i), seen.get(i));
                }
            } else {
                subsets.forEach(s -> smooth(work, s, firstBatch(work.inputs(s))));
                subsets.forEach(s -> search(work, s, firstBatch(work.inputs(s))));
            }
        }

        private static Matrix firstBatch(Inputs in) {
            int chunks = 0;
            int rows = 0;
            while (chunks < in.chunks() && in.batchOf(chunks) == in.batchOf(0)) {
                rows += in.rows(chunks++);
            }
            Matrix out = new Matrix(rows, in.features());
            int at = 0;
            for (int c = 0; c < chunks; c++) {
                Hidden h = in.chunk(c);
                System.arraycopy(h.data().data(), 0, out.data(), at, h.data().data().length);
                at += h.data().data().length;
            }
            return out;
        }

        private static void smooth(BlockWork work, Subset subset, Matrix x) {
            Block block = work.block();
            boolean quantized = subset.layers().stream().map(block::linear).allMatch(l -> work.scheme(l).weight().isPresent() || l.role().isRouter());
            if (!quantized || x.rows() == 0 || subset.previous().isEmpty()) {
                return;
            }
            if (subset.previous().get() instanceof Subset.PreviousNorm) {
                work.foldScale(subset, ratios(block, subset, x));
            } else if (subset.transform() && subset.layers().size() == 1 && block.linear(subset.layers().getFirst()).role() == Role.DOWN) {
                float[] a = ratios(block, subset, x);
                float[] sorted = a.clone();
                Arrays.sort(sorted);
                float base = sorted[a.length - (int) (a.length * KEPT + 1.5)];
                if (base >= QUIET) {
                    for (int j = 0; j < a.length; j++) {
                        a[j] = a[j] <= base ? 1f : a[j] / base;
                    }
                    work.foldScale(subset, a);
                }
            }
        }

        /** sqrt(largest activation / largest weight) of each channel: SmoothQuant with alpha 0.5. */
        private static float[] ratios(Block block, Subset subset, Matrix x) {
            float[] xmax = new float[x.cols()];
            largest(x, xmax);
            float[] wmax = new float[x.cols()];
            subset.layers().forEach(n -> largest(block.linear(n).weight(), wmax));
            float[] out = new float[x.cols()];
            for (int j = 0; j < out.length; j++) {
                out[j] = Math.max((float) Math.sqrt(xmax[j]) / (float) Math.sqrt(Math.max(wmax[j], SMALLEST)), SMALLEST);
            }
            return out;
        }

        private static void largest(Matrix m, float[] max) {
            for (int r = 0; r < m.rows(); r++) {
                for (int j = 0; j < max.length; j++) {
                    max[j] = Math.max(max[j], Math.abs(m.data()[r * max.length + j]));
                }
            }
        }

        private static void search(BlockWork work, Subset subset, Matrix x) {
            for (String name : subset.layers()) {
                Linear layer = work.block().linear(name);
                QuantScheme scheme = work.scheme(layer).weight().orElse(null);
                if (scheme == null) {
                    continue;
                }
                UnaryOperator<Matrix> rounding = work.activationQuantizer(layer).map(ActivationRoundings::dynamic).map(Dgq::single).orElse(m -> m);
                QuantScheme four = ((NumberFormat.Int4OverInt8) scheme.format()).four();
                DgqSolver solver = new DgqSolver(four, rounding, !work.llmcCompatible());
                if (x.rows() == 0) {
                    work.note(layer, "no calibration token reached it: searched without data");
                }
                // Without data every loss is zero and the first candidate, the full range, is kept.
                work.install(layer, new DualGrained(solver, solver.solve(layer.weight(), x), four));
            }
        }
    }

    private static UnaryOperator<Matrix> single(ActivationRounding rounding) {
        return x -> rounding.fakeQuantize(x, 1, x.rows());
    }

    /** Group codes with the steps found; an export sees ordinary asymmetric groups. */
    private record DualGrained(DgqSolver solver, DgqSolver.Result found, QuantScheme four) implements WeightRounding {

        @Override
        public Matrix fakeQuantize(Matrix weight) {
            Matrix q = solver.codes(weight, found);
            float[] scales = scales();
            int size = solver.groupSize();
            for (int i = 0; i < q.data().length; i++) {
                q.data()[i] = (q.data()[i] - found.zeros()[i / size]) * scales[i / size];
            }
            return q;
        }

        private float[] scales() {
            int groups = found.steps().length / found.scale8().length;
            float[] out = new float[found.steps().length];
            for (int g = 0; g < out.length; g++) {
                out[g] = found.steps()[g] * found.scale8()[g / groups];
            }
            return out;
        }

        @Override
        public Optional<QuantizedMatrix> codes(Matrix weight) {
            Matrix q = solver.codes(weight, found);
            byte[] codes = new byte[q.data().length];
            for (int i = 0; i < codes.length; i++) {
                codes[i] = (byte) (int) q.data()[i];
            }
            return Optional.of(new QuantizedMatrix(four, weight.rows(), weight.cols(), codes, scales(), found.zeros(), new int[0], 1f));
        }
    }
}
