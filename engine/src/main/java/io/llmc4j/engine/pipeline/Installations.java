package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.Inputs;
import io.llmc4j.engine.method.BlockWork;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.quant.ActivationRoundings;
import io.llmc4j.engine.quant.QuantParams;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.StaticRange;
import io.llmc4j.engine.quant.WeightRoundings;
import io.llmc4j.engine.tensor.Matrix;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/** What is installed on a block's layers when the stages are done: defaults where no stage decided, static ranges, and the results. */
final class Installations {

    private final BlockWork work;
    private final RunConfig config;
    private final Map<String, Float> inputScale = new HashMap<>();
    private final Map<String, List<String>> notes = new HashMap<>();

    Installations(BlockWork work, RunConfig config) {
        this.work = work;
        this.config = config;
    }

    void note(Linear layer, String text) {
        List<String> list = notes.computeIfAbsent(layer.name(), k -> new ArrayList<>());
        if (!list.contains(text)) {
            list.add(text);
        }
    }

    /** What no stage installed comes from the layer's scheme. */
    void complete(Linear layer) {
        LayerScheme scheme = work.scheme(layer);
        if (!scheme.quantized()) {
            layer.setWeightRounding(null);
            layer.setActivationRounding(null);
            return;
        }
        if (layer.weightRounding().isEmpty()) {
            Quantizer q = Quantizer.of(scheme.weight().get(), config.llmcCompatible());
            layer.setWeightRounding(searches(scheme.weight().get()) ? WeightRoundings.stored(q, q.params(layer.weight())) : WeightRoundings.dynamic(q));
        }
        if (layer.activationRounding().isEmpty() && scheme.activation().isPresent() && !scheme.activation().get().isStatic()) {
            layer.setActivationRounding(ActivationRoundings.dynamic(Quantizer.of(scheme.activation().get(), config.llmcCompatible())));
        }
    }

    /** Ranges that are expensive to find are found once. */
    private static boolean searches(QuantScheme s) {
        return s.range() instanceof io.llmc4j.engine.quant.RangeRule.Mse || s.range() instanceof io.llmc4j.engine.quant.RangeRule.Hqq;
    }

    /** Calibrates the inputs of layers that share one, where their activations are static (spec 1.17). */
    void fixStaticRanges(List<Linear> layers, Supplier<Inputs> inputs) {
        Map<QuantScheme, QuantParams> known = new HashMap<>();
        for (Linear layer : layers) {
            LayerScheme scheme = work.scheme(layer);
            if (!scheme.quantized() || layer.activationRounding().isPresent() || !scheme.activation().map(QuantScheme::isStatic).orElse(false)) {
                continue;
            }
            QuantScheme s = scheme.activation().get();
            Quantizer q = Quantizer.of(s, config.llmcCompatible());
            // What is rounded is the rotated input, and what was gathered is the input before it.
            QuantParams p = layer.inputRotation().isPresent() ? params(s, q, new RotatedInputs(inputs.get(), layer.inputRotation().get()), work.fullName(layer))
                    : known.computeIfAbsent(s, k -> params(k, q, inputs.get(), work.fullName(layer)));
            layer.setActivationRounding(ActivationRoundings.stored(q, p));
            inputScale.put(layer.name(), p.scale(0));
        }
    }

    /** Samples are the logical batches, or, when there is one only, its sequences. */
    private static QuantParams params(QuantScheme scheme, Quantizer quantizer, Inputs in, String name) {
        StaticRange range = StaticRange.of(scheme);
        boolean oneBatch = in.chunks() == 0 || in.batchOf(0) == in.batchOf(in.chunks() - 1);
        if (in.chunks() == 0) {
            throw BadInput.of(BadInput.Common.DATA, "no calibration token reached %s, so its static activation range is unknown; "
                    + "use more calibration data, for an expert --calibrate-all-experts, dynamic activations, or list it under ignored_layers", name);
        }
        for (int c = 0; c < in.chunks();) {
            Hidden h = in.chunk(c);
            int next = c + 1;
            if (oneBatch) {
                for (int b = 0; b < h.batch(); b++) {
                    range.add(h.data().rows(b * h.tokens(), (b + 1) * h.tokens()));
                }
            } else {
                List<Matrix> parts = new ArrayList<>(List.of(h.data()));
                while (next < in.chunks() && in.batchOf(next) == in.batchOf(c)) {
                    parts.add(in.chunk(next++).data());
                }
                range.add(joined(parts));
            }
            c = next;
        }
        return range.params(quantizer);
    }

    private static Matrix joined(List<Matrix> parts) {
        if (parts.size() == 1) {
            return parts.getFirst();
        }
        Matrix all = new Matrix(parts.stream().mapToInt(Matrix::rows).sum(), parts.getFirst().cols());
        int at = 0;
        for (Matrix m : parts) {
            System.arraycopy(m.data(), 0, all.data(), at, m.data().length);
            at += m.data().length;
        }
        return all;
    }

    /** The layer as it left the stages. {@code seconds} is what the stages took for it. */
    LayerResult result(Linear layer, int floatBits, double seconds) {
        long start = System.nanoTime();
        LayerScheme scheme = work.scheme(layer);
        boolean quantized = layer.weightRounding().isPresent();
        Matrix w = layer.weight();
        Optional<QuantizedMatrix> codes;
        Matrix fake;
        try {
            codes = quantized ? layer.weightRounding().get().codes(w) : Optional.empty();
            layer.setQuantized(true);
            fake = codes.map(layer::effectiveWeight).orElseGet(layer::effectiveWeight);
        } catch (BadInput e) {
            throw new BadInput(e.kind(), work.fullName(layer) + ": " + e.getMessage() + "; leave the layer float by ignored_layers, or use another method", e);
        }
        SquaredError error = SquaredError.of(fake, w);
        double squared = error.squared();
        double norm = error.norm();
        Soundness.requireFinite(work.fullName(layer), codes, squared);
        Soundness.oddities(layer, w, codes).forEach(n -> note(layer, n));
        double bits = quantized ? bits(scheme.weight().get(), codes, w) + (double) layer.weightRounding().get().bitsBeside(w) / w.data().length : floatBits;
        return new LayerResult(work.fullName(layer), layer, codes, fake, quantized ? scheme.weight() : Optional.empty(),
                layer.activationRounding().isPresent() ? scheme.activation() : Optional.empty(), Optional.ofNullable(inputScale.get(layer.name())),
                squared / Math.max(1, fake.data().length), norm == 0 ? 0 : Math.sqrt(squared / norm), bits, seconds + (System.nanoTime() - start) * 1e-9,
                List.copyOf(notes.getOrDefault(layer.name(), List.of())));
    }

    private static double bits(QuantScheme scheme, Optional<QuantizedMatrix> codes, Matrix w) {
        return codes.map(q -> StoredBits.ofRanges(q.scheme(), q.scales().length, w.data().length)).orElseGet(() -> StoredBits.of(scheme, w.rows(), w.cols()));
    }

    /** Weights of a layer, for sharing out the time of a block. */
    static long weights(List<Linear> layers) {
        return Arrays.stream(layers.toArray(Linear[]::new)).mapToLong(l -> (long) l.in() * l.out()).sum();
    }
}
