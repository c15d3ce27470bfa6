package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.calibrate.Inputs;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.quant.ActivationRoundings;
import io.llmc4j.engine.quant.ClipFactors;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.RangeRule;
import io.llmc4j.engine.quant.WeightRoundings;
import io.llmc4j.engine.tensor.Matrix;
import java.util.List;
import java.util.Optional;

/**
 * Clips the weight ranges of every layer but queries and keys by grid search (spec 3.3): AWQ's second half, and the start of OmniQuant's and
 * TesseraQ's learnt clipping. Version 1 clamps the weight, version 2 installs clip factors.
 *
 * @param byFactors version 2
 * @param symmetric both ends as one; empty: as the layer's scheme
 * @param save      keep the factors as artifact "clips"
 * @param most      tokens that the search looks at; 0: LLMC's rule ({@code calib.seq_len})
 */
record AutoClip(boolean byFactors, Optional<Boolean> symmetric, boolean save, int most) implements Clip {

    /** Layers whose name contains one of these are never clipped; a substring test, so "block_sparse_moe" is one (ODD-33). */
    private static final List<String> SKIPPED = List.of("q_", "k_", "query", "key", "Wqkv");

    static AutoClip of(MethodOptions options) {
        return new AutoClip(options.choice("clip_version", "v1", "v2").equals("v2"),
                options.has("clip_sym") ? Optional.of(options.flag("clip_sym", false)) : Optional.empty(), options.flag("save_clip", false), 0);
    }

    static boolean skips(Linear layer) {
        return SKIPPED.stream().anyMatch(layer.name()::contains);
    }

    @Override
    public String name() {
        return "clip search";
    }

    @Override
    public Needs needs() {
        return Needs.of(Need.INPUTS);
    }

    @Override
    public void check(RunConfig config) {
        for (QuantScheme s : config.schemes().weights()) {
            if (s.granularity().kind() == Granularity.Kind.PER_BLOCK) {
                throw new BadInput(BadInput.Common.CONFIG, "weight_clip does not work with granularity per_block; remove weight_clip, or use per_group or per_channel");
            }
            if (byFactors && !(s.range() instanceof RangeRule.Learnable)) {
                throw new BadInput(BadInput.Common.CONFIG, "clip_version v2 needs quant.weight.calib_algo: learnable");
            }
            if (byFactors && !s.symmetric() && symmetric.orElse(false) && !config.llmcCompatible()) {
                throw new BadInput(BadInput.Common.CONFIG, "clip_sym: True with asymmetric weights and clip_version v2 has no factor for the lower end "
                        + "(LLMC gets NaN there); set clip_sym: False");
            }
        }
    }

    @Override
    public void apply(BlockWork work) {
        for (Linear layer : work.block().linears()) {
            Optional<Quantizer> quantizer = work.weightQuantizer(layer);
            if (quantizer.isEmpty() || skips(layer)) {
                continue;
            }
            Inputs inputs = work.inputs(layer);
            if (inputs.chunks() == 0) {
                work.note(layer, "no calibration token reached it: not clipped");
                continue;
            }
            clip(work, layer, quantizer.get(), sampled(inputs, most > 0 ? most : tokens(work.config(), inputs)));
        }
    }

    private void clip(BlockWork work, Linear layer, Quantizer quantizer, Matrix x) {
        boolean sym = symmetric.orElse(quantizer.scheme().symmetric());
        ClipSearch.Ranges best = new ClipSearch(quantizer, work.activationQuantizer(layer).map(ActivationRoundings::dynamic), sym, byFactors)
                .best(layer.weight(), x);
        if (!byFactors) {
            layer.setWeight(ClipSearch.clamped(layer.weight(), best.lo(), best.hi(), best.groups()));
            work.weightChanged(layer);
            return;
        }
        ClipFactors factors = factors(layer.weight(), best, sym, quantizer.scheme().granularity());
        work.install(layer, WeightRoundings.clipped(quantizer, factors));
        if (save) {
            work.artifact("clips", work.fullName(layer) + ".upbound_factor", new Matrix(1, factors.upper().length, factors.upper()));
            work.artifact("clips", work.fullName(layer) + ".lowbound_factor", new Matrix(1, factors.lower().length, factors.lower()));
        }
    }

    /** Logits of the shares of the weight's own range that are kept; +infinity where all of it is. */
    static ClipFactors factors(Matrix w, ClipSearch.Ranges best, boolean sym, Granularity granularity) {
        int length = w.cols() / best.groups();
        float[] upper = new float[best.hi().length];
        float[] lower = new float[sym ? 0 : upper.length];
        for (int i = 0; i < upper.length; i++) {
            float max = Float.NEGATIVE_INFINITY;
            float min = Float.POSITIVE_INFINITY;
            for (int j = i * length; j < (i + 1) * length; j++) {
                max = Math.max(max, w.data()[j]);
                min = Math.min(min, w.data()[j]);
            }
            if (sym) {
                upper[i] = kept(best.hi()[i] / Math.max(Math.max(Math.abs(max), Math.abs(min)), 1e-5f));
            } else {
                upper[i] = kept(best.hi()[i] / max);
                lower[i] = kept(best.lo()[i] / min);
            }
        }
        if (granularity.kind() == Granularity.Kind.PER_TENSOR) {
            // One range: the widest that any row asks for.
            upper = widest(upper);
            lower = sym ? lower : widest(lower);
        }
        return new ClipFactors(upper, lower);
    }

    private static float[] widest(float[] logits) {
        float w = Float.NEGATIVE_INFINITY;
        for (float v : logits) {
            w = Math.max(w, v);
        }
        return new float[] {w};
    }

    /** An all-zero end has no share: not clipped. */
    private static float kept(float share) {
        float logit = ClipFactors.logit(share);
        return logit != logit ? Float.POSITIVE_INFINITY : logit;
    }

    static int tokens(RunConfig config, Inputs inputs) {
        return config.calibration().map(CalibrationSet::seqLen).orElse((int) Math.min(inputs.rows(), 512));
    }

    /** Every {@code step}-th row of all chunks in a row, step = rows / wanted. */
    static Matrix sampled(Inputs in, int wanted) {
        long rows = in.rows();
        long step = Math.max(1, rows / wanted);
        Matrix out = new Matrix(Math.toIntExact((rows + step - 1) / step), in.features());
        long next = 0;
        long seen = 0;
        int at = 0;
        for (int c = 0; c < in.chunks(); c++) {
            Hidden h = in.chunk(c);
            for (; next < seen + h.data().rows(); next += step) {
                System.arraycopy(h.data().data(), (int) (next - seen) * in.features(), out.data(), at++ * in.features(), in.features());
            }
            seen += h.data().rows();
        }
        return out;
    }
}
