package io.llmc4j.hostile;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.cli.config.Yaml;
import io.llmc4j.cli.config.YamlReader;
import io.llmc4j.engine.BadInput;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** YAML that is wrong or means harm: refused with its place, quickly, and with nothing but our own error. */
class YamlTest {

    @TempDir
    Path dir;

    private static String refused(String text) {
        BadInput e = assertTimeoutPreemptively(Duration.ofSeconds(10), () -> assertThrows(BadInput.class, () -> YamlReader.document("a.yml", text)));
        assertEquals("CONFIG", e.kind().name());
        return e.getMessage();
    }

    @Test
    void syntaxErrorsSayWhere() {
        assertTrue(refused("base:\n  seed: [1, 2\nmodel: 3\n").startsWith("a.yml:3:"), () -> refused("base:\n  seed: [1, 2\nmodel: 3\n"));
        assertTrue(refused("a: b: c\n").startsWith("a.yml:1:5"), () -> refused("a: b: c\n"));
        assertTrue(refused("a:\n\t- 1\n").startsWith("a.yml:2:1"), () -> refused("a:\n\t- 1\n"));
    }

    @Test
    void duplicateKeysAreRefused() {
        assertEquals("a.yml:3:3: key 'bit' is here for the second time in this mapping", refused("w:\n  bit: 4\n  bit: 8\n"));
    }

    @Test
    void keysAreWords() {
        assertEquals("a.yml:1:3: a key has to be a word", refused("? [1, 2]\n: 3\n"));
    }

    @Test
    void anAnchorThatContainsItselfIsRefused() {
        assertTrue(refused("a: &x\n  b: *x\n").contains("this anchor contains itself"));
    }

    @Test
    void aliasesThatMultiplyAreRefused() {
        StringBuilder s = new StringBuilder("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for (int i = 1; i < 12; i++) {
            s.append("a").append(i).append(": &a").append(i).append(" [").append(("*a" + (i - 1) + ", ").repeat(9)).append("*a").append(i - 1).append("]\n");
        }
        String message = refused(s.toString());
        assertTrue(message.contains("more than 100000 values"), message);
    }

    @Test
    void deepNestingIsRefused() {
        String message = refused("a: " + "[".repeat(70) + "]".repeat(70));
        assertTrue(message.contains("nested too deeply") || message.contains("not YAML"), message);
        refused("a: " + "[".repeat(100_000));
        refused("{a: ".repeat(50_000));
    }

    @Test
    void tagsOfOtherLanguagesRunNothing() {
        Yaml.Mapping m = YamlReader.document("a.yml", "a: !!javax.script.ScriptEngineManager [x]\n");
        assertTrue(m.entries().get("a").value() instanceof Yaml.Sequence);
    }

    @Test
    void oneDocumentOnly() {
        refused("a: 1\n---\nb: 2\n");
    }

    @Test
    void aTopLevelThatIsNoMapping() {
        assertEquals("a.yml: the top level has to be a mapping (base, model, quant, ...), found a list", refused("- a\n- b\n"));
        assertEquals("a.yml: the top level has to be a mapping (base, model, quant, ...), found nothing", refused(""));
    }

    @Test
    void filesThatAreNotText() throws Exception {
        Path binary = Files.write(dir.resolve("b.yml"), new byte[] {(byte) 0xff, (byte) 0xfe, 0, 1, (byte) 0xc3});
        assertTrue(assertThrows(BadInput.class, () -> YamlReader.read(binary)).getMessage().endsWith("is not UTF-8 text"));
        Path large = Files.write(dir.resolve("c.yml"), new byte[(1 << 20) + 1]);
        assertTrue(assertThrows(BadInput.class, () -> YamlReader.read(large)).getMessage().contains("a configuration has at most"));
        assertTrue(assertThrows(BadInput.class, () -> YamlReader.read(dir)).getMessage().contains("is a directory"));
        assertTrue(assertThrows(BadInput.class, () -> YamlReader.read(dir.resolve("none.yml"))).getMessage().endsWith("there is no such file"));
    }

    /** The library's buffer has 1024 characters; a character of two that lies across its end is one like others. */
    @Test
    void pairsOfSurrogatesAnywhere() {
        for (int n = 1000; n < 1050; n++) {
            String text = "a: " + "x".repeat(n) + "\uD83D\uDE00";
            assertEquals("x".repeat(n) + "\uD83D\uDE00", ((Yaml.Scalar) YamlReader.document("s.yml", text).entries().get("a").value()).text());
        }
    }

    /** Mutations of a real file end in a document or in our own error, never in another exception. */
    @Test
    void mutationsNeverEscape() throws Exception {
        byte[] original = YamlTest.class.getResourceAsStream("/configs/awq.yml").readAllBytes();
        Random random = new Random(1);
        String[] snippets = {":", "- ", "&a ", "*a", "<<: ", "{", "[", "]", "\"", "'", "|\n", "\t", "!!int ", "%YAML 9\n", "---\n", "\u0000", "\n  ", "# "};
        for (int i = 0; i < 3000; i++) {
            StringBuilder text = new StringBuilder(new String(original, StandardCharsets.UTF_8));
            for (int k = random.nextInt(4) + 1; k > 0; k--) {
                int at = random.nextInt(text.length());
                switch (random.nextInt(3)) {
                    case 0 -> text.deleteCharAt(at);
                    case 1 -> text.insert(at, snippets[random.nextInt(snippets.length)]);
                    default -> text.setCharAt(at, (char) random.nextInt(128));
                }
            }
            try {
                io.llmc4j.cli.config.ConfigReader.read(YamlReader.document("m.yml", text.toString()), false);
            } catch (BadInput e) {
                assertEquals("CONFIG", e.kind().name());
            }
        }
    }
}
