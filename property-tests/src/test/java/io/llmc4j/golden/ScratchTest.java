package io.llmc4j.golden;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.quant.*;
import io.llmc4j.engine.quant.packing.*;
import io.llmc4j.engine.tensor.Matrix;
import org.junit.jupiter.api.Test;

class ScratchTest {
    @Test
    void ct() {
        GoldenTensors G = GoldenTensors.load("/golden/compressed-tensors/compressed.safetensors.gz");
        for (JsonNode c : GoldenTensors.json("/golden/compressed-tensors/index.json.gz")) {
            String n = c.get("case").asText();
            String in = "in/" + n.split("/")[1];
            int[] sh = G.shape(in);
            Matrix x = new Matrix(sh[0], sh[1], G.floats(in));
            if (!n.startsWith("mx") && !n.startsWith("nv")) continue;
            QuantScheme s = n.startsWith("nv") ? QuantScheme.nvfp4() : QuantScheme.microscaling(n.startsWith("mxfp4") ? "e2m1" : "e4m3").withScaleFormat(ScaleFormat.E8M0_ROUNDED);
            Quantizer q = Quantizer.of(s);
            QuantizedMatrix m = q.quantize(x);
            System.out.println(n + " decompressed same " + QuantizerGoldenTest.same(m.dequantize().data(), G.floats(n + "/decompressed")));
            QuantizerGoldenTest.report("d", m.dequantize().data(), G.floats(n + "/decompressed"));
            byte[] sc = G.bytesOf(n + "/weight_scale");
            int bad = 0; String ex = "";
            float[] e4 = null;
            for (int i = 0; i < sc.length; i++) {
                float g = n.startsWith("nv") ? e4m3(sc[i] & 255) : Math.scalb(1f, (sc[i] & 255) - 127);
                if (g != m.scales()[i]) { bad++; if (bad < 5) ex += " " + i + ":" + m.scales()[i] + " vs " + g; }
            }
            System.out.println("scales bad " + bad + ex + " ts " + m.tensorScale() + (n.startsWith("nv") ? " " + G.floats(n + "/weight_global_scale")[0] : ""));
            String w = n.startsWith("mxfp8") ? "/weight" : "/weight_packed";
            byte[] p = n.startsWith("mxfp8") ? m.codes() : NibblePairs.pack(x.rows(), x.cols(), m.codes());
            byte[] g = G.bytesOf(n + w);
            int db = 0; ex = "";
            for (int i = 0; i < g.length; i++) if (g[i] != p[i]) { db++; if (db < 5) ex += " " + i + ":" + p[i] + " vs " + g[i]; }
            System.out.println("codes bad " + db + ex);
        }
        GoldenTensors Q = GoldenTensors.load("/golden/quantizer/quantizer.safetensors.gz");
        Matrix x = new Matrix(8, 64, Q.floats("in/normal"));
        for (NumberFormat.Float.Path path : NumberFormat.Float.Path.values()) {
            if (path == NumberFormat.Float.Path.ADAPTIVE) continue;
            for (String n : new String[] {"fp8", "fp8b", "fp8e5"}) {
                QuantizedMatrix m = Quantizer.of(QuantScheme.floating(n.equals("fp8e5") ? "e5m2" : "e4m3", path, n.equals("fp8b") ? Granularity.perBlock(32) : Granularity.PER_CHANNEL)).quantize(x);
                System.out.println(path + n + java.util.Arrays.equals(m.codes(), Q.bytesOf("real/" + n + "/w")) + QuantizerGoldenTest.same(m.scales(), Q.floats("real/" + n + "/s")));
            }
        }
    }
    static float e4m3(int c) { int f = (c >> 3) & 15, m = c & 7; return f == 0 ? m / 512f : Math.scalb(1 + m / 8f, f - 7); }
}
