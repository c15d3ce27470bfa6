package io.llmc4j.golden;

import io.llmc4j.engine.quant.*;
import io.llmc4j.engine.tensor.Matrix;
import org.junit.jupiter.api.Test;

class ScratchTest {
    @Test
    void st() {
        GoldenTensors G = GoldenTensors.load("/golden/quantizer/quantizer.safetensors.gz");
        for (RangeRule r : new RangeRule[] {new RangeRule.StaticMinMax(), new RangeRule.StaticMovingMinMax(), new RangeRule.StaticHistogram(2048)}) {
            boolean sym = r instanceof RangeRule.StaticHistogram;
            QuantScheme s = QuantScheme.integer(8, sym, Granularity.PER_TENSOR).withRange(r);
            StaticRange c = StaticRange.of(s);
            for (int i = 0; i < 4; i++) c.add(new Matrix(16, 64, G.floats("in/static_act" + i)));
            QuantParams p = c.params(Quantizer.of(s));
            String n = r instanceof RangeRule.StaticMinMax ? "static_minmax_asym" : sym ? "static_hist_sym" : "static_moving_minmax_asym";
            System.out.println(n + " " + p.scales()[0] + " " + p.zero(0) + " golden " + G.floats("static/" + n + "/scales")[0] + " " + G.floats("static/" + n + "/zeros")[0]);
        }
        for (RangeRule r : new RangeRule[] {new RangeRule.StaticMinMax(), new RangeRule.StaticMovingMinMax(), new RangeRule.StaticHistogram(2048)}) {
            QuantScheme s = QuantScheme.integer(8, true, Granularity.PER_TENSOR).withRange(r);
            StaticRange c = StaticRange.of(s);
            for (int q = 0; q < 3; q++) { float[] x = new float[1024]; for (int k = 0; k < 1024; k++) x[k] = (float) (StrictMath.sin(0.37 * k + q) * (1 + q) * (k % 97 == 0 ? 3 : 1)); c.add(new Matrix(1, 1024, x)); }
            System.out.println(r + " " + c.params(Quantizer.of(s)).scales()[0]);
        }
    }
}
