package io.llmc4j.formats.export.gguf.arch;

import io.llmc4j.engine.model.AttentionSpec.Rotary;
import io.llmc4j.engine.model.RopeScaling;
import io.llmc4j.formats.export.gguf.GgufMetadata;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** Rotary positions as keys and as tensors of divisors, and back. */
final class RotaryMetadata {

    private static final double DEFAULT_BASE = 10000;
    private static final double BETA_FAST = 32;
    private static final double BETA_SLOW = 1;

    private RotaryMetadata() {
    }

    static void write(GgufArch arch, Rotary rotary, int contextLength, GgufMetadata to, List<String> dropped) {
        to.u32(arch.key("rope.dimension_count"), rotary.dims());
        to.f32(arch.key("rope.freq_base"), rotary.scaling().base());
        switch (rotary.scaling()) {
            case RopeScaling.Plain p -> { }
            case RopeScaling.Llama3 l -> { }
            case RopeScaling.LinearScaling l -> to.text(arch.key("rope.scaling.type"), "linear").f32(arch.key("rope.scaling.factor"), l.factor());
            case RopeScaling.Dynamic d -> dropped.add("rope scaling 'dynamic': llama.cpp has none; positions beyond " + d.maxPositions()
                    + " are not scaled");
            case RopeScaling.QwenDynamic q -> dropped.add("Qwen's dynamic rope: llama.cpp has none; positions beyond " + q.trainedPositions()
                    + " are not scaled");
            case RopeScaling.Yarn y -> yarn(arch, y, to, dropped);
            case RopeScaling.LongRope l -> {
                to.text(arch.key("rope.scaling.type"), "longrope");
                to.u32(arch.key("rope.scaling.original_context_length"), l.originalPositions());
                to.f32(arch.key("rope.scaling.attn_factor"), attention(l));
            }
        }
    }

    private static double attention(RopeScaling.LongRope l) {
        double scale = (double) l.maxPositions() / l.originalPositions();
        return l.attentionFactor() != 0 ? l.attentionFactor() : scale <= 1 ? 1
                : StrictMath.sqrt(1 + StrictMath.log(scale) / StrictMath.log(l.originalPositions()));
    }

    private static void yarn(GgufArch arch, RopeScaling.Yarn y, GgufMetadata to, List<String> dropped) {
        to.text(arch.key("rope.scaling.type"), "yarn").f32(arch.key("rope.scaling.factor"), y.factor());
        to.u32(arch.key("rope.scaling.original_context_length"), y.originalPositions());
        to.f32(arch.key("rope.scaling.yarn_beta_fast"), y.betaFast()).f32(arch.key("rope.scaling.yarn_beta_slow"), y.betaSlow());
        if (y.betaFast() != BETA_FAST || y.betaSlow() != BETA_SLOW) {
            dropped.add("yarn's beta_fast " + y.betaFast() + " and beta_slow " + y.betaSlow() + ": llama.cpp computes with 32 and 1");
        }
        if (!y.truncate()) {
            dropped.add("yarn without truncation: llama.cpp rounds the corrected range to whole pairs");
        }
        if (y.mscaleAllDims() != 0) {
            // DeepSeek's files hold a tenth of it, for reasons of their own history.
            to.f32(arch.key("rope.scaling.yarn_log_multiplier"), arch == GgufArch.DEEPSEEK2 ? 0.1 * y.mscaleAllDims() : y.mscaleAllDims());
        } else if (y.attentionFactor() != 0) {
            to.f32(arch.key("rope.scaling.attn_factor"), y.attentionFactor() / RopeScaling.Yarn.temperature(y.factor(), 1));
        }
    }

    /** Tensors of divisors, [dims / 2], by name without ".weight"; most scalings have none. */
    static Map<String, float[]> tensors(Rotary rotary) {
        Map<String, float[]> out = new LinkedHashMap<>();
        switch (rotary.scaling()) {
            case RopeScaling.Llama3 l -> out.put(TensorNames.ROPE_FREQUENCIES, llama3(l, rotary.dims()));
            case RopeScaling.LongRope l -> {
                out.put(TensorNames.ROPE_LONG, floats(l.longFactors()));
                out.put(TensorNames.ROPE_SHORT, floats(l.shortFactors()));
            }
            default -> { }
        }
        return out;
    }

    private static float[] floats(List<Double> v) {
        float[] out = new float[v.size()];
        for (int i = 0; i < out.length; i++) {
            out[i] = v.get(i).floatValue();
        }
        return out;
    }

    private static float[] llama3(RopeScaling.Llama3 l, int dims) {
        float[] out = new float[dims / 2];
        double longest = l.originalPositions() / l.lowFrequencyFactor();
        double shortest = l.originalPositions() / l.highFrequencyFactor();
        for (int i = 0; i < out.length; i++) {
            double wave = 2 * Math.PI * StrictMath.pow(l.base(), 2.0 * i / dims);
            double smooth = (l.originalPositions() / wave - l.lowFrequencyFactor()) / (l.highFrequencyFactor() - l.lowFrequencyFactor());
            out[i] = (float) (wave < shortest ? 1 : wave > longest ? l.factor() : 1 / ((1 - smooth) / l.factor() + smooth));
        }
        return out;
    }

    /** @param tensors name without ".weight" to values, or an empty array where the file has none */
    static RopeScaling scaling(GgufArch arch, GgufMetadata m, int contextLength, Function<String, float[]> tensors) {
        double base = m.real(arch.key("rope.freq_base")).orElse(DEFAULT_BASE);
        double factor = m.real(arch.key("rope.scaling.factor")).or(() -> m.real(arch.key("rope.scale_linear"))).orElse(0.0);
        String type = m.text(arch.key("rope.scaling.type")).orElse(factor == 0 ? "none" : "linear");
        int original = m.count(arch.key("rope.scaling.original_context_length")).orElse(contextLength);
        double attention = m.real(arch.key("rope.scaling.attn_factor")).orElse(0.0);
        float[] divisors = tensors.apply(TensorNames.ROPE_FREQUENCIES);
        float[] longer = tensors.apply(TensorNames.ROPE_LONG);
        if (longer.length > 0) {
            return new RopeScaling.LongRope(base, doubles(tensors.apply(TensorNames.ROPE_SHORT)), doubles(longer), original, contextLength,
                    attention == 0 ? 1 : attention);
        }
        if (divisors.length > 0) {
            return new RopeScaling.LongRope(base, doubles(divisors), doubles(divisors), contextLength, contextLength, 1);
        }
        return switch (type) {
            case "linear" -> factor == 0 || factor == 1 ? new RopeScaling.Plain(base) : new RopeScaling.LinearScaling(base, factor);
            case "yarn" -> {
                double all = m.real(arch.key("rope.scaling.yarn_log_multiplier")).orElse(0.0) * (arch == GgufArch.DEEPSEEK2 ? 10 : 1);
                yield new RopeScaling.Yarn(base, factor, original, m.real(arch.key("rope.scaling.yarn_beta_fast")).orElse(BETA_FAST),
                        m.real(arch.key("rope.scaling.yarn_beta_slow")).orElse(BETA_SLOW), all == 0 ? 0 : arch == GgufArch.DEEPSEEK2 ? all : 1, all,
                        attention == 0 ? 0 : attention * RopeScaling.Yarn.temperature(factor, 1), true);
            }
            default -> new RopeScaling.Plain(base);
        };
    }

    private static List<Double> doubles(float[] v) {
        Double[] out = new Double[v.length];
        Arrays.setAll(out, i -> (double) v[i]);
        return List.of(out);
    }

    /** What cosines and sines are multiplied with. */
    private static double temperature(RopeScaling.Yarn y) {
        if (y.attentionFactor() != 0) {
            return y.attentionFactor();
        }
        return y.mscale() != 0 && y.mscaleAllDims() != 0
                ? RopeScaling.Yarn.temperature(y.factor(), y.mscale()) / RopeScaling.Yarn.temperature(y.factor(), y.mscaleAllDims())
                : RopeScaling.Yarn.temperature(y.factor(), 1);
    }

    /** Whether both give the same angles, as far as a file can tell. */
    static boolean same(RopeScaling a, RopeScaling b, int dims) {
        if (a.base() != b.base() && (float) a.base() != (float) b.base()) {
            return false;
        }
        return switch (a) {
            case RopeScaling.Plain p -> b instanceof RopeScaling.Plain;
            case RopeScaling.LinearScaling l -> b instanceof RopeScaling.LinearScaling o && (float) l.factor() == (float) o.factor();
            case RopeScaling.Dynamic d -> b instanceof RopeScaling.Plain;
            case RopeScaling.QwenDynamic q -> b instanceof RopeScaling.Plain;
            case RopeScaling.Yarn y -> b instanceof RopeScaling.Yarn o && (float) y.factor() == (float) o.factor()
                    && y.originalPositions() == o.originalPositions() && Math.abs(temperature(y) - temperature(o)) < 1e-5;
            case RopeScaling.Llama3 l -> b instanceof RopeScaling.LongRope o && doubles(llama3(l, dims)).equals(o.longFactors());
            case RopeScaling.LongRope l -> b instanceof RopeScaling.LongRope o && Arrays.equals(floats(l.longFactors()), floats(o.longFactors()))
                    && Arrays.equals(floats(l.shortFactors()), floats(o.shortFactors()));
        };
    }
}
