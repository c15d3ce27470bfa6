package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.cli.Main;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Every configuration that LLMC ships for language models, by its settings ({@code llmc-configs/settings.tsv}), with the paths of small models and texts:
 * each passes every check that comes before the first block, or is refused for the one reason that is written here. (That such settings also run to the
 * end is {@link EveryConfigurationTest}.)
 */
class LlmcConfigurationsTest {

    private static final Path SAMPLES = Path.of(System.getProperty("llmc4j.root"), "cli", "samples");

    /** What is refused: file name (a regular expression) to the reason. */
    private static final Map<String, String> REFUSED = new LinkedHashMap<>();

    static {
        REFUSED.put(".*(_vlm|vlm_data_padding|alm_data_padding|custom_data_debug)\\.yml", "vision|image, audio or video|image or video");
        REFUSED.put(".*_vit\\.yml", "image, audio or video");
        REFUSED.put(".*(custom_data|custom_eval)\\.yml", "eval.* generate_only is not here");
        REFUSED.put(".*awq_w_only_custom_data_padding\\.yml", "calib.padding: True is not here");
        REFUSED.put(".*chat.*\\.yml", "calib.apply_chat_template|calib.padding");
        REFUSED.put(".*awq_w_only_opencompass\\.yml", "opencompass: runs a Python program");
        // The second steps of a pair: the first one writes what they read (CombinationFilesTest runs both).
        REFUSED.put(".*awq_comb_omni/w[68]a[68]/step_2_omniq\\.yml", "an earlier run writes it");
        // LLMC writes asymmetric inputs into a configuration that says symmetric.
        REFUSED.put(".*quarot_w_a_dsv3\\.yml", "asymmetric activations: it takes symmetric ones");
    }

    @TempDir
    static Path dir;

    @TestFactory
    Stream<DynamicTest> settings() throws IOException {
        Path deepseek2 = config("deepseek-v2");
        Path deepseek3 = config("deepseek-v3");
        List<String[]> rows = new ArrayList<>();
        try (InputStream in = LlmcConfigurationsTest.class.getResourceAsStream("/llmc-configs/settings.tsv")) {
            new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().skip(1).forEach(l -> rows.add(l.split("\t", -1)));
        }
        assertTrue(rows.size() > 120);
        return rows.stream().map(r -> DynamicTest.dynamicTest(r[0], () -> hold(r, r[1].equals("DeepseekV2") ? deepseek2 : r[1].equals("DeepseekV3") ? deepseek3
                : SAMPLES.resolve("tiny-llama-en"))));
    }

    /** A model of which only the shape is looked at. */
    private static Path config(String variant) throws IOException {
        Path d = Files.createDirectories(dir.resolve(variant));
        try (InputStream in = LlmcConfigurationsTest.class.getResourceAsStream("/families/" + variant + "/config.json")) {
            // Not a multiple of 32, which no model of that family has.
            Files.writeString(d.resolve("config.json"), new String(in.readAllBytes(), StandardCharsets.UTF_8).replace("\"qk_rope_head_dim\": 8", "\"qk_rope_head_dim\": 32"));
        }
        return d;
    }

    private static void hold(String[] row, Path model) throws IOException {
        Path file = dir.resolve(row[0].replace('/', '-'));
        Files.writeString(file, yaml(row, model));
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = Main.run(new PrintWriter(out, true), new PrintWriter(err, true), "run", "--config", file.toString(), "--dry-run");
        String reason = REFUSED.entrySet().stream().filter(e -> row[0].matches(e.getKey())).map(Map.Entry::getValue).findFirst().orElse("");
        if (reason.isEmpty()) {
            assertEquals(0, code, err + "\n" + Files.readString(file));
        } else {
            assertEquals(2, code, out + "\n" + err);
            assertTrue(err.toString().matches("(?s).*(" + reason + ").*"), err.toString());
        }
    }

    private static String yaml(String[] row, Path model) {
        boolean tiny = !model.startsWith(SAMPLES);
        boolean sparse = row[0].startsWith("sparsification");
        StringBuilder y = new StringBuilder("base: {seed: 42}\nmodel: {type: ").append(row[1].equals("any") ? "Llama" : row[1]).append(", path: ").append(model)
                .append(", tokenizer_mode: slow, torch_dtype: auto}\n");
        if (!row[7].isEmpty()) {
            y.append(calibration(row));
        }
        if (!row[8].isEmpty()) {
            y.append("eval:\n");
            for (String e : row[8].split("; ")) {
                y.append("    - ").append(evaluation(e)).append('\n');
            }
        }
        if (sparse) {
            y.append("sparse: {method: ").append(row[2]).append(", weight: ").append(row[3].replace("'", "").replace(": 9", ": 3")).append("}\n");
        } else if (row[2].contains("//") || row[2].startsWith("vision")) {
            y.append("quant:\n    vision: {method: RTN}\n    language:\n").append(quant(row, tiny).indent(8));
        } else {
            y.append("quant:\n").append(quant(row, tiny).indent(4));
        }
        if (row[5].contains("+ignored_layers")) {
            y.append("ignored_layers: {block_ids: [0], layer_names: [self_attn.kv_b_proj, self_attn.o_proj]}\n");
        }
        if (row[5].contains("+opencompass")) {
            y.append("opencompass: {cfg_path: opencompass_cfg_path, max_num_workers: 1, output_path: out}\n");
        }
        if (!row[9].isEmpty()) {
            y.append("save: {save_").append(row[9]).append(": True, save_path: ").append(dir.resolve("saved")).append("}\n");
        }
        return y.toString();
    }

    private static String calibration(String[] row) {
        String[] words = row[7].split(" ");
        String chat = row[0].contains("chat") ? ", apply_chat_template: True" : "";
        String length = row[7].matches(".*len [0-9]+.*") ? ", seq_len: 64" : "";
        return "calib: {name: " + words[0] + ", download: False, path: " + lines() + ", n_samples: 8, bs: " + (row[7].contains("bs -1") ? -1 : 1) + length
                + (words[1].equals("–") ? "" : ", preproc: " + words[1]) + (row[7].endsWith(" pad") ? ", padding: True" : "") + chat + ", seed: 42}\n";
    }

    /** The sample text, a line a row. */
    private static Path lines() {
        Path file = dir.resolve("calibration.jsonl");
        try {
            if (!Files.exists(file)) {
                List<String> rows = new ArrayList<>();
                Files.readString(SAMPLES.resolve("calibration.txt")).lines().filter(l -> l.length() > 20).limit(200)
                        .forEach(l -> rows.add("{\"text\": \"" + l.replaceAll("[^A-Za-z0-9 ,.]", " ") + "\"}"));
                Files.write(file, rows);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return file;
    }

    private static String evaluation(String e) {
        String[] words = e.split(" ");
        String positions = words[0].equals("(empty)") ? "" : words[0].replaceAll("\\bP\\b", "pretrain").replaceAll("\\bT\\b", "transformed").replaceAll("\\bF\\b", "fake_quant")
                .replaceAll("\\bW\\b", "fake_quant_wo_kv").replace("/", ", ");
        // Of two data sets the first: each would lie in a folder of its own.
        return "{eval_pos: [" + positions + "], type: " + words[1] + ", name: " + words[2].replaceFirst("\\+.*", "") + ", download: False, path: " + SAMPLES.resolve("evaluation.txt")
                + ", seq_len: 64, bs: 1, inference_per_block: False}";
    }

    private static String quant(String[] row, boolean tiny) {
        StringBuilder y = new StringBuilder("method: ").append(row[2].replaceFirst(".*: ", "")).append('\n');
        if (row[3].startsWith("w_1")) {
            y.append("weight:\n    w_1: ").append(scheme("4 asym g128", tiny)).append("\n    w_2: ").append(scheme("8 sym pc", tiny)).append('\n');
        } else if (row[3].startsWith("48")) {
            y.append("weight: {bit: 48, bit4: ").append(scheme("4 asym g128", tiny)).append(", bit8: ").append(scheme("8 sym pc", tiny)).append("}\n");
        } else {
            y.append("weight: ").append(scheme(row[3], tiny)).append('\n');
        }
        String[] act = row[4].split(" kv ");
        if (!act[0].isEmpty()) {
            y.append("act: ").append(scheme(act[0], tiny)).append('\n');
        }
        if (act.length > 1) {
            String[] kv = act[1].split(" ");
            y.append("kvcache: {method: ").append(kv[0]).append(", bit: ").append(kv[1]).append(", symmetric: ").append(kv[2]).append(", granularity: ").append(kv[3]).append("}\n");
        }
        if (row[5].contains("+mix_bits")) {
            y.append("mix_bits:\n    setting_0: {layer_name: [down_proj#0-1], do_quant: True, weight: ").append(scheme("8 asym pc", tiny))
                    .append(row[4].isEmpty() ? "" : ", act: " + scheme("8 asym token", tiny)).append("}\n    setting_1: {layer_name: [o_proj], do_quant: False}\n");
        }
        String special = special(row[5].replaceFirst("^– // –", "").replaceFirst("[,]? ?\\+.*", ""), tiny);
        if (!special.isEmpty()) {
            y.append("special: {").append(special).append("}\n");
        }
        return y.append("quant_out: ").append(row[6].equals("yes") ? "True" : "False").append('\n').toString();
    }

    /** "4 sym g128 need_pack" as a mapping. */
    private static String scheme(String text, boolean tiny) {
        List<String> keys = new ArrayList<>();
        String[] words = text.replaceAll("\\[([^]]*), ([^]]*)]", "[$1,$2]").split(" ");
        keys.add("bit: " + words[0]);
        if (words[0].startsWith("e")) {
            keys.add("quant_type: float-quant");
        }
        keys.add("symmetric: " + (words[1].equals("sym") ? "True" : "False"));
        String layout = words[2];
        keys.add(layout.equals("pc") ? "granularity: per_channel" : layout.equals("token") ? "granularity: per_token" : layout.equals("pt-tensor") ? "granularity: per_tensor"
                : layout.startsWith("blk") ? "granularity: per_block, block_size: " + (tiny ? "16" : layout.substring(3)) : "granularity: per_group, group_size: " + (tiny ? "16" : layout.substring(1)));
        for (int i = 3; i < words.length; i++) {
            keys.add(words[i].contains("=") ? words[i].replace("=", ": ") : words[i] + ": True");
        }
        return "{" + String.join(", ", keys) + "}";
    }

    private static String special(String text, boolean tiny) {
        List<String> keys = new ArrayList<>();
        for (String item : text.split(", (?![^\\[]*])")) {
            if (item.isBlank() || item.equals("–")) {
                continue;
            }
            if (item.startsWith("no ")) {
                keys.add(item.substring(3) + ": False");
            } else if (item.contains("{")) {
                keys.add(item.replaceFirst(" \\{(.*)}", ": ") + scheme(item.replaceFirst(".*\\{(.*)}", "$1"), tiny));
            } else if (item.contains(" ")) {
                keys.add(item.replaceFirst(" ", ": ").replaceFirst("(scale_path|clip_path): .*", "$1: " + dir.resolve("vectors")));
            } else {
                keys.add(item + ": True");
            }
        }
        return String.join(", ", keys);
    }
}
