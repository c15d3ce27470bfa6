package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.families.FamilyModels;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.laws.VectorWidths;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Law 1 on whole runs: the bits of every weight, scale and code are the same for 1 and 2 threads, every vector width, and the scalar kernels. */
class SameBytesTest {

    private final Kernels kernels = Kernels.get();
    private final int threads = Parallel.threads();

    @AfterEach
    void restore() {
        Kernels.use(kernels);
        Parallel.setThreads(threads);
    }

    @Test
    void awq() {
        check("Awq", Map.of("weight_clip", true), false);
    }

    @Test
    void gptq() {
        check("GPTQ", Map.of("actorder", true, "static_groups", true, "true_sequential", true), true);
    }

    @Test
    void smoothQuant() {
        check("SmoothQuant", Map.of("alpha", 0.5), false);
    }

    private static void check(String method, Map<String, Object> special, boolean quantOut) {
        Kernels.use(Kernels.named("scalar"));
        Parallel.setThreads(1);
        String want = digest(method, special, quantOut);
        VectorWidths.ALL.forEach((bits, k) -> {
            for (int n = 1; n <= 2; n++) {
                Kernels.use(k);
                Parallel.setThreads(n);
                assertEquals(want, digest(method, special, quantOut), method + " with vectors of " + bits + " bits and " + n + " threads");
            }
        });
    }

    private static String digest(String method, Map<String, Object> special, boolean quantOut) {
        MessageDigest sha;
        try {
            sha = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
        SchemePlan plan = SchemePlan.of(QuantScheme.integer(4, true, Granularity.perGroup(16)), QuantScheme.integer(8, true, Granularity.PER_TOKEN));
        RunConfig config = RunConfig.of(method, special, plan).withCalibration(new CalibrationSet("ids", FamilyModels.ids("qwen2"), -1, 24)).withQuantOut(quantOut);
        try (HfModel model = FamilyModels.open("qwen2")) {
            new BlockFold(model, config, List.of(), new RunListener() {
                @Override
                public void layerDone(LayerResult layer) {
                    update(sha, layer.layer().weight().data());
                    update(sha, layer.fake().data());
                    layer.quantized().ifPresent(q -> {
                        update(sha, q.scales());
                        sha.update(q.codes());
                    });
                }
            }).run();
        }
        return HexFormat.of().formatHex(sha.digest());
    }

    private static void update(MessageDigest sha, float[] values) {
        ByteBuffer b = ByteBuffer.allocate(4 * values.length);
        b.asFloatBuffer().put(values);
        sha.update(b);
    }
}
