package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.cli.Main;
import io.llmc4j.cli.config.MethodCard;
import io.llmc4j.cli.run.Carriers;
import io.llmc4j.engine.method.Methods;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a format cannot carry of a method is refused before any work, with the formats that can; the table of methods says the same. */
class MethodsAndFormatsTest {

    @TempDir
    static Path dir;
    private static Path model;

    @BeforeAll
    static void prepare() throws IOException {
        model = SampleBlocks.write(dir.resolve("model"), 2);
    }

    private record Told(int code, String out, String err) { }

    private static Told llmc4j(List<String> args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        return new Told(Main.run(new PrintWriter(out, true), new PrintWriter(err, true), args.toArray(String[]::new)), out.toString(), err.toString());
    }

    private static Told quantize(String options, Path out, String... more) {
        List<String> args = new ArrayList<>(List.of("quantize", model.toString(), "--out", out.toString(), "--samples", "2", "--seq-len", "64"));
        args.addAll(List.of(options.split(" ")));
        args.addAll(List.of(more));
        return llmc4j(args);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "--method spqr --export autoawq|keeps single weights in float|fake",
        "--method owq --export gptq|keeps input columns in float|gguf",
        "--method quik --bits 8 --act-bits 8 --export vllm|keeps input channels in float|trans",
        "--method llmint8 --bits 8 --act-bits 8 --export vllm|splits every input while the model runs|fake",
        "--method adadim --bits 8 --export compressed-tensors --per-channel|ranges along its input channels|gguf",
        "--method gptq --asymmetric --export autoawq --set static_groups=false|act-order|gptq",
        "--method gptq --export mlx --group-size 64 --set static_groups=false|order|compressed-tensors",
        "--method hqq --export gptq --asymmetric|real-valued zero points|hqq",
        "--method rtn --bits 4 --act-bits 4 --export vllm|4-bit activations|trans",
        "--method rtn --bits 4 --symmetric --export autoawq|symmetric|vllm",
        "--method rtn --bits 3 --export autoawq|int3 weights|compressed-tensors",
        "--method rtn --bits e5m2 --export vllm|e5m2|fake",
        "--method quarot --bits 8 --act-bits 8 --export vllm --set online_rotate=true|which no reader of vllm does|trans"})
    void refusedAtOnce(String options, String why, String other) {
        Path out = dir.resolve("refused");
        Told told = quantize(options, out, "--no-eval");
        assertEquals(2, told.code, options + "\n" + told.out + told.err);
        assertTrue(told.err.contains(why), told.err);
        assertTrue(told.err.replaceFirst("(?s).*(these can: |floats for a further run: )", "").contains(other), told.err);
        assertFalse(Files.exists(out));
    }

    /** Every method that the engine has, one row, with formats that its own rules give; those that keep floats have none of codes. */
    @Test
    void everyMethodHasARow() {
        // LLMC spells two of them otherwise.
        assertEquals(new TreeSet<>(Methods.all().stream().map(m -> m.name().toLowerCase()).toList()),
                new TreeSet<>(MethodCard.all().stream().map(c -> Methods.named(c.name()).name().toLowerCase()).toList()));
        Told all = llmc4j(List.of("methods"));
        for (MethodCard c : MethodCard.all()) {
            List<String> carriers = Carriers.of(c.name());
            assertTrue(carriers.containsAll(List.of("trans", "fake")), c.name() + ": " + carriers);
            assertEquals(List.of("SpQR", "QUIK", "LlmInt8", "AdaDim", "OWQ", "DGQ", "HQQ", "Magnitude", "Wanda", "ShortGPT").contains(c.name()), !carriers.contains("vllm"), c.name());
            assertTrue(all.out.lines().anyMatch(l -> l.startsWith(c.name() + " ") && l.contains(Carriers.text(c.name())) && l.contains(c.needs())), all.out);
            Told one = llmc4j(List.of("methods", c.name()));
            assertTrue(one.out.contains("exports that can carry it: ") && one.out.contains(c.paper().equals("-") ? c.title() : c.paper()), one.out);
        }
    }

    /**
     * LLMC's QuaRot and then GPTQ by two configurations: the rotated floats of the first run, whose inputs the second rotates while the model runs. Without
     * that the model is broken, and with it it is as good as from one run.
     */
    @Test
    void rotatedAndSavedThenRoundedByAnotherRun() throws IOException {
        Path rotated = dir.resolve("rotated");
        assertEquals(0, quantize("--method quarot --bits 8 --act-bits 8 --export trans --set online_rotate=true --no-eval", rotated).code);
        double without = perplexity(second(rotated, false));
        double with = perplexity(second(rotated, true));
        double together = perplexity(quantize("--method quarot,gptq --bits 8 --act-bits 8 --per-channel --export fake --set online_rotate=true --json", dir.resolve("together")));
        assertTrue(with < 1.02 * together && with > 0.98 * together, "two runs " + with + ", one " + together);
        assertTrue(without > 1.5 * with, "without online rotations " + without);
    }

    private static Told second(Path rotated, boolean online) {
        Told t = llmc4j(List.of("quantize", rotated.toString(), "--method", "gptq", "--bits", "8", "--act-bits", "8", "--per-channel", "--samples", "2", "--seq-len", "64", "--export", "fake",
                "--out", dir.resolve("second" + online).toString(), "--json", "--set", "online_rotate=" + online));
        assertEquals(0, t.code, t.err);
        return t;
    }

    private static double perplexity(Told t) throws IOException {
        assertEquals(0, t.code, t.err);
        return new ObjectMapper().readTree(t.out).get("evaluations").valueStream().filter(e -> e.get("position").asText().equals("fake_quant")).collect(Collectors.toList()).getLast()
                .get("value").asDouble();
    }
}
