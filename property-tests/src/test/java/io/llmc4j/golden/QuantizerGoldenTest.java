package io.llmc4j.golden;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantParams;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.RangeRule;
import io.llmc4j.engine.tensor.Matrix;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** scratch */
class QuantizerGoldenTest {

    private static final GoldenTensors G = GoldenTensors.load("/golden/quantizer/quantizer.safetensors.gz");

    @Test
    void all() {
        java.util.Map<String, int[]> stat = new java.util.TreeMap<>();
        for (JsonNode c : GoldenTensors.json("/golden/quantizer/index.json.gz")) {
            if (!c.get("ok").asBoolean() || !c.has("quantizer")) continue;
            String name = c.get("name").asText();
            boolean isInt = c.get("quantizer").asText().equals("IntegerQuantizer");
            String calib = c.get("calib").asText();
            boolean sym = isInt ? c.get("sym").asBoolean() : true;
            String gran = c.get("granularity").asText();
            int[] sh = G.shape("in/" + c.get("input").asText());
            int cols = sh[sh.length - 1];
            float[] data = G.floats("in/" + c.get("input").asText());
            Matrix x = new Matrix(data.length / cols, cols, data);
            Granularity g = switch (gran) { case "per_tensor" -> Granularity.PER_TENSOR; case "per_channel" -> Granularity.PER_CHANNEL; case "per_token" -> Granularity.PER_TOKEN; case "per_group" -> Granularity.perGroup(32); default -> Granularity.perBlock(32); };
            QuantScheme base = QuantScheme.integer(4, sym, g);
            if (isInt) {
                base = base.withFormat(new NumberFormat.Int(c.get("bit").asInt(), (int) c.get("qmin").asDouble(), (int) c.get("qmax").asDouble()));
                if (c.has("round_zp")) base = base.withRoundZeroPoint(c.get("round_zp").asBoolean());
            } else {
                NumberFormat.Float f = NumberFormat.Float.of(c.get("bit").asText(), c.get("use_qtorch").asBoolean() ? Boolean.getBoolean("even") ? NumberFormat.Float.Path.EMULATED_EVEN : NumberFormat.Float.Path.EMULATED : NumberFormat.Float.Path.ADAPTIVE);
                base = base.withFormat(f);
            }
            base = base.withRange(switch (calib) { case "mse" -> RangeRule.Mse.DEFAULT; case "hqq" -> new RangeRule.Hqq(0.7, 10, 1.01, 20, false); default -> new RangeRule.MinMax(); });
            Quantizer q = Quantizer.of(base, true);
            boolean adaptive = !isInt && !c.get("use_qtorch").asBoolean();
            int[] st = stat.computeIfAbsent(name.split("/")[0] + (isInt ? "" : adaptive ? " adaptive" : " emul " + c.get("bit").asText()+ "/" +c.get("input").asText()), k -> new int[5]);
            st[0]++;
            QuantParams p = q.params(x);
            if (!adaptive && !calib.equals("learnable")) {
                if (!same(p.scales(), G.floats(name + "/scales"))) { st[1]++; report(name + " scales", p.scales(), G.floats(name + "/scales")); }
                float[] gz = G.floats(name + "/zeros");
                if (!(p.zeros().length == 0 ? gz.length == 1 && gz[0] == 0 : same(p.zeros(), gz))) { st[2]++; report(name + " zeros", p.zeros(), gz); }
            }
            if (calib.equals("learnable")) { float[] gz = G.floats(name + "/zeros"); p = new QuantParams(G.floats(name + "/scales"), gz.length == 1 ? new float[0] : gz); }
            float[] fq = q.fakeQuantize(x, p).data();
            if (!same(fq, G.floats(name + "/fq"))) { st[3]++; report(name + " fq", fq, G.floats(name + "/fq")); }
            if (isInt) {
                byte[] codes = q.quantize(x, p).codes();
                float[] cf = new float[codes.length];
                for (int i = 0; i < cf.length; i++) cf[i] = base.format() instanceof NumberFormat.Int f && f.qmin() < 0 ? codes[i] : codes[i] & 0xff;
                if (!same(cf, G.floats(name + "/codes"))) { st[4]++; report(name + " codes", cf, G.floats(name + "/codes")); }
            }
        }
        stat.forEach((k, v) -> System.out.println(k + " " + java.util.Arrays.toString(v)));
    }
    static int shown;
    static void report(String what, float[] a, float[] b) {
        if (shown++ > Integer.getInteger("show", 15)) return;
        int n = 0; String ex = "";
        if (a.length != b.length) { System.out.println(what + " length " + a.length + " " + b.length); return; }
        for (int i = 0; i < a.length; i++) if (Float.floatToIntBits(a[i]) != Float.floatToIntBits(b[i])) { n++; if (n < 4) ex += " [" + i + "] " + a[i] + " vs " + b[i]; }
        System.out.println(what + " differ " + n + " of " + a.length + ex);
    }
    static boolean same(float[] a, float[] b) {
        if (a.length != b.length) return false;
        for (int i = 0; i < a.length; i++) if (Float.floatToIntBits(a[i]) != Float.floatToIntBits(b[i])) return false;
        return true;
    }
}
