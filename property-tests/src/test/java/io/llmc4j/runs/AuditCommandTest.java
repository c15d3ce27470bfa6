package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.cli.Main;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.golden.GoldenModels;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xml.sax.InputSource;

/** {@code audit} and {@code diff} as a user meets them: exit codes, table, JSON, page. */
class AuditCommandTest {

    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    static Path tmp;
    private static Path original;
    private static Path four;
    private static Path gptq;
    private static Path broken;

    private record Ran(int code, String out, String err) { }

    @BeforeAll
    static void write() {
        original = GoldenModels.llama(tmp);
        try (HfModel llama = HfModel.open(original)) {
            var scheme = AuditedModels.ints(4, true, Granularity.perGroup(64));
            four = AuditedModels.write(llama, "vllm", scheme, Optional.empty(), tmp.resolve("four"));
            gptq = AuditedModels.write(llama, "gptq", scheme, Optional.empty(), tmp.resolve("gptq"));
            broken = AuditedModels.write(llama, "vllm", scheme, Optional.empty(), tmp.resolve("broken"));
        }
        AuditedModels.edit(broken, "model.layers.1.mlp.up_proj.weight_packed", AuditedModels::swapNibbles);
    }

    private static Ran run(Object... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> texts = new ArrayList<>();
        for (Object a : args) {
            texts.add(a.toString());
        }
        int code = Main.run(new PrintWriter(out, true), new PrintWriter(err, true), texts.toArray(String[]::new));
        return new Ran(code, out.toString(), err.toString());
    }

    @Test
    void aSoundModelEndsWithZero() {
        Ran r = run("audit", four, "--original", original);
        assertEquals(0, r.code(), r.err() + r.out());
        assertTrue(r.out().stripTrailing().endsWith("SOUND: 14 quantized layers are what compressed-tensors, pack-quantized makes of the original"), r.out());
        assertTrue(r.out().lines().filter(l -> l.startsWith("model.layers.")).count() == 14, r.out());
    }

    @Test
    void anUnsoundModelEndsWithThreeAndItsPageSaysWhy() throws Exception {
        Path page = tmp.resolve("page.html");
        Path text = Files.writeString(tmp.resolve("text.txt"), "the quick brown fox jumps over the lazy dog. ".repeat(40));
        Ran r = run("audit", broken, "--original", original, "--data", text, "--seq-len", 32, "--html", page, "--json");
        assertEquals(3, r.code(), r.err());
        JsonNode j = JSON.readTree(r.out());
        assertFalse(j.get("sound").asBoolean());
        assertEquals("model.layers.1.mlp.up_proj", j.at("/findings/0/where").asText());
        assertEquals("LAYER", j.at("/findings/0/rule").asText());
        assertEquals(14, j.get("layers").size());
        assertEquals(2, j.at("/data/blockErrors").size());
        assertTrue(j.at("/data/quantizedPerplexity").asDouble() > 0);
        String html = Files.readString(page);
        assertTrue(html.contains("the nibbles of every byte are exchanged"), html);
        assertFalse(html.contains("http:") || html.contains("https:") || html.contains("<script") || html.contains("@import"), "no network");
        assertTrue(html.length() < 100_000, "size " + html.length());
        // Well formed: every tag is closed, every text escaped.
        String body = html.substring(html.indexOf("<body>"), html.indexOf("</html>"));
        DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(new InputSource(new StringReader(body)));
        assertEquals(2, body.split("<svg", -1).length - 2, "three charts");
    }

    @Test
    void whatCannotBeAuditedEndsWithTwo() throws IOException {
        assertEquals(2, run("audit", tmp.resolve("none"), "--original", original).code());
        assertEquals(2, run("audit", four).code());
        Path empty = Files.createDirectories(tmp.resolve("empty"));
        Ran r = run("audit", empty, "--original", original);
        assertEquals(2, r.code());
        assertTrue(r.err().contains("config.json"), r.err());
    }

    @Test
    void anotherArchitectureIsAFault() {
        Path opt = GoldenModels.unpack("opt_g", tmp.resolve("other"));
        Ran r = run("audit", opt, "--original", original);
        assertEquals(3, r.code(), r.err());
        assertTrue(r.out().contains("the architecture is not the original's"), r.out());
    }

    @Test
    void diffSeesThroughFormats() throws IOException {
        Ran same = run("diff", four, gptq);
        assertEquals(0, same.code(), same.err() + same.out());
        assertTrue(same.out().contains("SAME: every code, scale and zero point of 14 layers"), same.out());
        Ran other = run("diff", four, broken, "--json");
        assertEquals(3, other.code());
        JsonNode j = JSON.readTree(other.out());
        assertFalse(j.get("same").asBoolean());
        int off = 0;
        for (JsonNode l : j.get("layers")) {
            off += l.get("different").asLong() > 0 ? 1 : 0;
        }
        assertEquals(1, off);
    }

    @Test
    void aConfigurationIsReproduced() throws IOException {
        Path config = Files.writeString(tmp.resolve("rtn.yml"), """
                base:
                    seed: 0
                model:
                    type: Llama
                    path: somewhere
                    torch_dtype: auto
                quant:
                    method: RTN
                    weight:
                        bit: 4
                        symmetric: True
                        granularity: per_group
                        group_size: 64
                save:
                    save_fake: False
                    save_path: nowhere
                """);
        Ran r = run("audit", four, "--original", original, "--reproduce", config);
        assertEquals(0, r.code(), r.err() + r.out());
        assertTrue(r.out().contains("the configuration gives this model: SAME CODES in all 14 layers"), r.out());
        Ran other = run("audit", four, "--original", original, "--reproduce", config, "--set", "quant.weight.group_size=32");
        assertEquals(3, other.code(), other.err() + other.out());
        assertTrue(other.out().contains("the configuration does not give this model: DIFFERENT: 100.0000 % of the codes, in 14 of 14 layers"), other.out());
    }
}
