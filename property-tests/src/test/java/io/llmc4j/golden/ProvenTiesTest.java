package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.method.DgqSolver;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantParams;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.hf.HfModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/**
 * Where a golden tensor is not ours to the last code, the tie that decided otherwise is shown: the number at the tie, and that the other side of it gives
 * LLMC's tensor.
 */
class ProvenTiesTest {

    private record Run(GoldenMethods.Outcome outcome, RunConfig config) {
        LayerResult layer(String name) {
            return outcome.layers().get("model.layers.0." + name);
        }
    }

    private static Run run(String name) {
        RunConfig[] config = new RunConfig[1];
        GoldenMethods.Outcome o = GoldenMethods.run("llama_g", name, c -> {
            config[0] = c;
            return c.withEvaluations(List.of());
        });
        return new Run(o, config[0]);
    }

    private static Set<Integer> differing(float[] ours, float[] theirs, int length, boolean columns) {
        Set<Integer> out = new TreeSet<>();
        for (int i = 0; i < ours.length; i++) {
            if (Math.abs(ours[i] - theirs[i]) > 1e-5f) {
                out.add(columns ? i % length : i / length);
            }
        }
        return out;
    }

    /** Inputs of block after block's layer of that name over all calibration samples, in the float model. */
    private static List<Matrix> inputs(RunConfig config, int block, String layer) {
        List<Matrix> seen = new ArrayList<>();
        try (HfModel model = HfModel.open(GoldenMethods.directory("llama_g"))) {
            Decoder decoder = new Decoder(model.spec());
            for (int[] ids : config.calibration().orElseThrow().samples()) {
                Hidden h = decoder.embed(model.ends(), new int[][] {ids});
                for (int b = 0; b <= block; b++) {
                    boolean wanted = b == block;
                    h = decoder.block(model.block(b), h, new ForwardHooks() {
                        @Override
                        public void linearInput(Linear l, Matrix in, int batch, int tokens) {
                            if (wanted && l.name().equals(layer)) {
                                seen.add(in.copy());
                            }
                        }
                    });
                }
            }
        }
        return seen;
    }

    /**
     * DGQ on the Llama: one row of block 0's down projection has another 8-bit scale. One of 49 152 activations lies at 4.4999999 of its token's step; with
     * that one rounded the other way the search gives LLMC's row, weight by weight.
     */
    @Test
    void dgqOneActivationHalfWay() {
        Run run = run("dgq_w4a8");
        LayerResult down = run.layer("mlp.down_proj");
        float[] theirs = run.outcome.golden().floats("fq/b0.mlp.down_proj.weight");
        int in = down.layer().in();
        assertEquals(Set.of(115), differing(down.fake().data(), theirs, in, false));
        Matrix x = inputs(run.config, 0, "mlp.down_proj").getFirst();
        Quantizer round = Quantizer.of(run.config.schemes().activation().orElseThrow(), true);
        QuantParams p = round.params(x);
        List<Integer> ties = new ArrayList<>();
        for (int i = 0; i < x.data().length; i++) {
            double q = Math.abs((double) x.data()[i] / p.scale(i / in));
            if (Math.abs(q - Math.floor(q) - 0.5) < 1e-6) {
                ties.add(i);
            }
        }
        assertEquals(1, ties.size(), "activations within 1e-6 of half a step");
        int at = ties.getFirst();
        DgqSolver.Result other = new DgqSolver(((NumberFormat.Int4OverInt8) down.weightScheme().orElseThrow().format()).four(), m -> {
            Matrix y = round.fakeQuantize(m);
            if (m.cols() == in) {
                float step = p.scale(at / in);
                y.data()[at] += x.data()[at] < y.data()[at] ? -step : step;
            }
            return y;
        }, false).solve(down.layer().weight().rows(115, 116), x);
        float[] row = deployed(other, down.layer().weight().rows(115, 116));
        assertEquals(Set.of(), differing(row, Arrays.copyOfRange(theirs, 115 * in, 116 * in), in, false));
    }

    private static float[] deployed(DgqSolver.Result r, Matrix w) {
        int size = w.cols() / r.steps().length;
        float[] out = new float[w.cols()];
        for (int j = 0; j < out.length; j++) {
            float z = r.zeros()[j / size];
            float limit = (float) Math.rint(127f / r.steps()[j / size]);
            float step = r.steps()[j / size] * r.scale8()[0];
            float code = Math.min(Math.max((float) Math.rint(w.data()[j] / step) + z, Math.max(z - limit, 0)), Math.min(z + limit, 15));
            out[j] = (code - z) * step;
        }
        return out;
    }

    /**
     * AWQ with mixed bits: an asymmetric group that is clipped to ±m has its zero point at 7.5 exactly, and its ends half a step from a code, whatever m is;
     * the last bit of the folded scale decides which code they get, and so how such a candidate fares in the search for the clip. Two groups of 128 of block
     * 0's value projection are clipped otherwise than LLMC's, and in both one of the two choices is such a candidate.
     */
    @Test
    void awqZeroPointsHalfWay() {
        Run run = run("awq_mixbits");
        LayerResult v = run.layer("self_attn.v_proj");
        float[] theirs = run.outcome.golden().floats("fq/b0.self_attn.v_proj.weight");
        float[] clip = run.outcome.golden().floats("clip/b0.self_attn.v_proj.max");
        Set<Integer> groups = differing(v.fake().data(), theirs, 64, false);
        assertEquals(2, groups.size(), groups.toString());
        for (int g : groups) {
            float lo = 0;
            float hi = 0;
            for (int i = g * 64; i < (g + 1) * 64; i++) {
                lo = Math.min(lo, v.layer().weight().data()[i]);
                hi = Math.max(hi, v.layer().weight().data()[i]);
            }
            boolean ours = lo == -hi;
            float m = ours ? hi : clip[g];
            assertTrue(ours || m < hi && m < -lo, "group " + g + ": neither ours nor LLMC's clips both ends: " + lo + " " + hi + ", LLMC's clip " + clip[g]);
            float scale = (m + m) / 15f;
            assertEquals(7.5, (double) m / scale, 1e-6, "zero point before it is rounded");
        }
    }

    /**
     * QUIK: query heads share value heads here, and a token's first output is its value, so channels of the output projection's input come in pairs
     * with the same maximum. Where ours keeps another channel than LLMC, its maximum is that of the one that LLMC keeps.
     */
    @Test
    void quikChannelsWithTheSameMaximum() {
        Run run = run("quik_w4a4");
        LayerResult o = run.layer("self_attn.o_proj");
        String key = "fq/b0.self_attn.o_proj.weight";
        assertTrue(run.outcome.golden().has(key) || run.outcome.golden().has("fq/b1.self_attn.o_proj.weight"), "the golden tensor");
        int block = run.outcome.golden().has(key) ? 0 : 1;
        float[] theirs = run.outcome.golden().floats("fq/b" + block + ".self_attn.o_proj.weight");
        LayerResult layer = block == 0 ? o : run.outcome.layers().get("model.layers.1.self_attn.o_proj");
        int in = layer.layer().in();
        float[] max = new float[in];
        for (Matrix x : inputs(run.config, block, "self_attn.o_proj")) {
            for (int i = 0; i < x.data().length; i++) {
                max[i % in] = Math.max(max[i % in], Math.abs(x.data()[i]));
            }
        }
        Set<Integer> ours = kept(layer.fake().data(), layer.layer().weight().data(), in);
        Set<Integer> their = kept(theirs, layer.layer().weight().data(), in);
        assertEquals(ours.size(), their.size());
        Map<Float, Integer> balance = new HashMap<>();
        ours.forEach(c -> balance.merge(max[c], 1, Integer::sum));
        their.forEach(c -> balance.merge(max[c], -1, Integer::sum));
        assertFalse(ours.equals(their), "no channel differs; hold the tensor then");
        assertTrue(balance.values().stream().allMatch(n -> n == 0), "kept channels by maximum, ours less LLMC's: " + balance);
    }

    /** Columns that are as they were. */
    private static Set<Integer> kept(float[] rounded, float[] weight, int in) {
        Set<Integer> out = new TreeSet<>();
        for (int c = 0; c < in; c++) {
            boolean same = true;
            for (int i = c; i < weight.length; i += in) {
                same &= rounded[i] == weight[i];
            }
            if (same) {
                out.add(c);
            }
        }
        return out;
    }
}
