package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.cli.Main;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two configurations joined by files, as LLMC combines methods: AWQ saves scales and clip factors, OmniQuant starts from them. */
class CombinationFilesTest {

    private static final Path ROOT = Path.of(System.getProperty("llmc4j.root"));

    @TempDir
    Path dir;

    private void run(String method, String special) throws Exception {
        Path config = Files.writeString(dir.resolve("c.yml"), """
                base: {seed: 1}
                model: {type: Llama, path: %s, torch_dtype: auto}
                calib: {name: wikitext2, download: False, path: bundled, n_samples: 2, bs: 1, seq_len: 32, preproc: wikitext2_gptq}
                quant:
                    quant_out: True
                    method: %s
                    weight: {bit: 6, symmetric: False, granularity: per_channel, calib_algo: learnable, ste: True}
                    special:
                        clip_path: %s
                        scale_path: %s
                %s
                """.formatted(ROOT.resolve("cli/samples/tiny-llama-en"), method, dir.resolve("saved"), dir.resolve("saved"), special.indent(8)));
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = Main.run(new PrintWriter(out, true), new PrintWriter(err, true), "run", "--config", config.toString());
        assertEquals(0, code, err.toString());
        assertTrue(out.toString().contains("done in"), out.toString());
    }

    @Test
    void awqThenOmniQuant() throws Exception {
        run("Awq", "trans: True\ntrans_version: v2\nweight_clip: True\nclip_version: v2\nsave_scale: True\nsave_clip: True");
        try (SafetensorsFile scales = SafetensorsFile.open(dir.resolve("saved/scales.safetensors"));
             SafetensorsFile clips = SafetensorsFile.open(dir.resolve("saved/clips.safetensors"))) {
            assertEquals(List.of(256L), java.util.Arrays.stream(scales.tensor("model.layers.0.self_attn.q_proj").shape().dims()).boxed().toList());
            assertTrue(clips.contains("model.layers.5.mlp.down_proj.upbound_factor"));
        }
        run("OmniQuant", """
                deactive_amp: True
                wd: 0
                epochs: 1
                aug_loss: False
                lwc: True
                let: True
                lwc_lr: 0.001
                let_lr: 0.001
                alpha: 0.5
                search_clip_init: True
                load_clip: True
                search_scale_init: True""");
    }
}
