package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.cli.Main;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Every configuration of the project runs on the first two blocks of the sample, with little text and few steps: it ends, reads back what it wrote, and
 * the model is not much worse for it.
 */
class EveryConfigurationTest {

    private static final Path ROOT = Path.of(System.getProperty("llmc4j.root"));
    /** Perplexity may grow by this factor; noise would be far above. */
    private static final double BROKEN = 1.5;
    private static final Map<String, List<String>> SHORTER = Map.of(
            "OmniQuant", List.of("quant.special.epochs=1"),
            "NormTweaking", List.of("quant.special.epochs=1"),
            "TesseraQ", List.of("quant.special.iterations=1", "quant.special.thresholds=[0.5, 0.1]"),
            "SpinQuant", List.of("quant.special.steps=2"));

    @TempDir
    static Path dir;

    @TestFactory
    Stream<DynamicTest> configurations() throws IOException {
        Path model = SampleBlocks.write(dir.resolve("model"), 2);
        Path text = ROOT.resolve("cli/samples/evaluation.txt");
        Path evaluation = Files.writeString(dir.resolve("eval.txt"), Files.readString(text).substring(0, 1000));
        try (Stream<Path> files = Files.list(ROOT.resolve("cli/src/main/resources/configs"))) {
            return files.filter(f -> f.toString().endsWith(".yml")).sorted().toList().stream()
                    .map(f -> DynamicTest.dynamicTest(f.getFileName().toString(), () -> run(f, model, evaluation)));
        }
    }

    private static void run(Path config, Path model, Path evaluation) throws IOException {
        String text = Files.readString(config);
        Path out = dir.resolve(config.getFileName().toString().replace(".yml", ""));
        List<String> args = new ArrayList<>(List.of("run", "--config", config.toString(), "--overwrite"));
        List<String> set = new ArrayList<>(List.of("model.path=" + model, "save.save_path=" + out, "eval.path=" + evaluation,
                "eval.seq_len=32"));
        if (text.contains("\ncalib:")) {
            set.addAll(List.of("calib.n_samples=2", "calib.seq_len=32"));
        }
        SHORTER.forEach((method, changes) -> {
            if (text.matches("(?s).*method: .*\\b" + method + "\\b.*")) {
                set.addAll(changes);
            }
        });
        set.forEach(s -> args.addAll(List.of("--set", s)));
        StringWriter err = new StringWriter();
        StringWriter stdout = new StringWriter();
        int code = Main.run(new PrintWriter(stdout, true), new PrintWriter(err, true), args.toArray(String[]::new));
        assertEquals(0, code, err + "\n" + stdout);
        JsonNode report = new ObjectMapper().readTree(out.resolve("report.json").toFile());
        assertTrue(report.get("evaluations").size() > 0);
        if (SHORTER.keySet().stream().anyMatch(m -> !m.equals("SpinQuant") && text.matches("(?s).*method: .*\\b" + m + "\\b.*"))) {
            assertEquals(2, report.get("losses").size(), "losses of both blocks: " + report.get("losses"));
            assertTrue(err.toString().contains("loss by epoch"), err.toString());
        }
        double before = 0;
        for (JsonNode e : report.get("evaluations")) {
            double value = e.get("value").asDouble();
            before = e.get("position").asText().equals("pretrain") ? value : before;
            assertTrue(before == 0 || value < before * BROKEN, e + " after " + before);
        }
    }
}
