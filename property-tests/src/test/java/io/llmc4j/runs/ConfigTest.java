package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.cli.config.ConfigReader;
import io.llmc4j.cli.config.LlmcConfig;
import io.llmc4j.cli.config.Overrides;
import io.llmc4j.cli.config.Yaml;
import io.llmc4j.cli.config.YamlReader;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.RangeRule;
import java.util.List;
import org.junit.jupiter.api.Test;

/** LLMC's configuration files: what is read, what is refused, and with which words. */
class ConfigTest {

    private static final String BASE = """
            base:
                seed: &seed 42
            model:
                type: Llama
                path: /m
                torch_dtype: auto
            """;

    private static final String WEIGHT = """
                weight:
                    bit: 4
                    symmetric: True
                    granularity: per_group
                    group_size: 128
            """;

    private static LlmcConfig read(String text, String... set) {
        return ConfigReader.read(Overrides.apply(YamlReader.document("awq.yml", text), List.of(set)), false);
    }

    private static List<String> errors(String text, String... set) {
        return assertThrows(BadInput.class, () -> read(text, set)).getMessage().lines().toList();
    }

    private static String quant(String method, String rest) {
        return BASE + "quant:\n    method: " + method + "\n" + WEIGHT + rest;
    }

    @Test
    void unknownKeysSayWhereAndWhatWasMeant() {
        assertEquals(List.of("awq.yml:16:9: unknown key 'weigth_clip' in quant.special; did you mean 'weight_clip'?"),
                errors(quant("Awq", "    special:\n        trans: True\n        weigth_clip: True\n")));
        assertEquals(List.of("awq.yml:14:1: unknown key 'evla' at the top level; did you mean 'eval'?"), errors(quant("RTN", "evla:\n    x: 1\n")));
        assertEquals(List.of("awq.yml:14:1: unknown key 'xyzzy' at the top level"), errors(quant("RTN", "xyzzy: 1\n")));
    }

    @Test
    void allProblemsAreToldAtOnceInTheOrderOfTheFile() {
        assertEquals(List.of(
                "awq.yml:4:5: model.type is missing",
                "awq.yml:5:5: model.torch_dtype is 'bf16'; it can be auto, torch.float16, torch.bfloat16, torch.float32, torch.float8_e4m3fn",
                "awq.yml:7:13: quant.method 'Awk' is unknown; methods are RTN, Awq, GPTQ, SmoothQuant, OsPlus, OmniQuant, TesseraQ, HQQ, SpQR, DGQ, QUIK, LlmInt8, "
                        + "NormTweaking, AdaDim, Quarot, SpinQuant, OWQ; did you mean 'Awq'?",
                "awq.yml:9:14: quant.weight.bit has to be an integer, found 'four'",
                "awq.yml:11:9: quant.weight.granularity per_group needs quant.weight.group_size"),
                errors("""
                        base:
                            seed: 1
                        model:
                            path: /m
                            torch_dtype: bf16
                        quant:
                            method: Awk
                            weight:
                                bit: four
                                symmetric: True
                                granularity: per_group
                        """));
    }

    @Test
    void settingsOfAnotherMethodAreNotIgnored() {
        assertEquals(List.of("awq.yml:15:9: key 'alpha' in quant.special belongs to SmoothQuant, OmniQuant; Awq does not read it"),
                errors(quant("Awq", "    special:\n        alpha: 0.5\n")));
    }

    @Test
    void requiredSettings() {
        assertEquals(5, errors(quant("GPTQ", "")).size());
        assertEquals(List.of("awq.yml:15:9: quant.special.percdamp is missing"),
                errors(quant("GPTQ", "    special:\n        actorder: True\n        static_groups: False\n        blocksize: 128\n        true_sequential: True\n")));
    }

    @Test
    void scalarsAsLlmcWritesThem() {
        LlmcConfig c = read(quant("NormTweaking", "    special:\n        deactive_amp: true\n        epochs: 50\n        ntweak_lr: 1e-6\n        gamma: 0.001\n"));
        assertEquals(1e-6, c.quant().get().special().get("ntweak_lr"));
        assertEquals(true, c.quant().get().special().get("deactive_amp"));
        assertEquals(42, c.seed());
        LlmcConfig f = read(quant("RTN", ""), "quant.weight.bit=e4m3", "quant.weight.quant_type=float-quant", "quant.weight.use_qtorch=True",
                "quant.weight.granularity=per_channel");
        assertEquals("e4m3", ((NumberFormat.Float) f.quant().get().weight().format()).label());
        assertEquals(448f, ((NumberFormat.Float) f.quant().get().weight().format()).qmax());
        assertEquals(NumberFormat.Float.Path.EMULATED, ((NumberFormat.Float) f.quant().get().weight().format()).path());
        assertEquals(List.of("--set quant.weight.bit: quant.weight.bit e4m3 needs quant_type: float-quant beside it"),
                errors(quant("RTN", ""), "quant.weight.bit=e4m3"));
        assertEquals(List.of("awq.yml:15:21: quant.special.epochs has to be an integer, found '5.5'"),
                errors(quant("NormTweaking", "    special:\n            epochs: 5.5\n            deactive_amp: False\n            ntweak_lr: 1e-6\n            gamma: 0\n")));
    }

    @Test
    void ignoredLayersInBothSpellings() {
        LlmcConfig c = read(quant("RTN", """
                ignored_layers:
                    block_ids: [4, 5, 6, 15-23]
                    layer_names: [self_attn.q_proj]
                    speical_names: [model.layers.0.mlp.down_proj]
                """));
        assertEquals(12, c.ignored().blocks().size());
        assertEquals(List.of(4, 5, 6, 15, 16, 17, 18, 19, 20, 21, 22, 23), c.ignored().blocks());
        assertEquals(List.of("model.layers.0.mlp.down_proj"), c.ignored().fullNames());
        assertEquals(List.of("awq.yml:17:5: ignored_layers.speical_names is read as special_names"), c.notices());
        assertEquals(List.of("awq.yml:15:5: ignored_layers.block_ids has 'a-b'; its elements are block numbers and ranges such as 15-23",
                "awq.yml:15:5: ignored_layers.block_ids has the range 3-1, which ends before it begins"),
                errors(quant("RTN", "ignored_layers:\n    block_ids: [a-b, 3-1]\n    layer_names: [x]\n")).stream().filter(s -> !s.contains("keeps")).toList());
    }

    @Test
    void inertKeysAreAcceptedWithANotice() {
        LlmcConfig c = read(quant("RTN", "    quant_objects: [language]\n    tp: 1\nsave:\n    save_fp: False\n    save_path: /o\n"));
        assertEquals(3, c.notices().size());
        assertTrue(c.notices().getFirst().startsWith("awq.yml:14:5: quant.quant_objects is accepted and does nothing"));
    }

    @Test
    void oldNamesOfMethods() {
        LlmcConfig c = read(quant("GPTBRECQ", "    special:\n        lr: 0.0005\n"));
        assertEquals("TesseraQ", c.quant().get().methods().getFirst().name());
        assertEquals(List.of("awq.yml:8:13: quant.method GPTBRECQ is read as TesseraQ, its new name"), c.notices());
    }

    @Test
    void flatConfigurationsAreCheckedToo() {
        assertEquals(List.of("awq.yml:13:9: quant.weight.group_size is 0; per_group needs one above 0"),
                errors(quant("RTN", "").replace("128", "0")));
        assertEquals(List.of("awq.yml:13:9: unknown key 'group_sizes' in quant.weight; did you mean 'group_size'?"),
                errors(quant("RTN", "").replace("group_size:", "group_sizes:")).stream().filter(s -> s.contains("unknown")).toList());
    }

    @Test
    void staticActivations() {
        String act = "    act:\n        bit: 8\n        symmetric: True\n        granularity: per_tensor\n        static: True\n";
        assertEquals(new RangeRule.StaticMinMax(), read(quant("RTN", act)).quant().get().activation().get().range());
        assertEquals(new RangeRule.StaticHistogram(2048), read(quant("RTN", act + "        calib_algo: static_hist\n")).quant().get().activation().get().range());
        assertEquals(List.of("awq.yml:17:9: quant.act.granularity has to be per_tensor when quant.act.static is True"),
                errors(quant("RTN", act.replace("per_tensor", "per_token"))));
    }

    @Test
    void blocksNeedGroupsOfTheSameSize() {
        String text = BASE + """
                quant:
                    method: RTN
                    weight:
                        bit: e4m3
                        quant_type: float-quant
                        use_qtorch: True
                        symmetric: True
                        granularity: per_block
                        block_size: 128
                    act:
                        bit: e4m3
                        quant_type: float-quant
                        use_qtorch: True
                        symmetric: True
                        granularity: per_group
                        group_size: 128
                """;
        assertEquals(Granularity.perBlock(128), read(text).quant().get().weight().granularity());
        assertEquals(List.of("awq.yml:21:9: quant.act.granularity has to be per_group with group_size 128, the weight's block_size"), errors(text, "quant.act.group_size=64"));
    }

    @Test
    void twoLevels() {
        NumberFormat.Int4OverInt8 f = (NumberFormat.Int4OverInt8) read(BASE + """
                quant:
                    method: RTN
                    weight:
                        bit: 48
                        bit4:
                            symmetric: False
                            granularity: per_group
                            group_size: 128
                            scales_bit: 8
                            scales_symmetric: True
                            zeros_bit: 8
                            zeros_symmetric: True
                        bit8:
                            symmetric: True
                            granularity: per_channel
                            int_range: [-120, 120]
                """).quant().get().weight().format();
        assertEquals(new NumberFormat.Int(8, -120, 120), f.eight().format());
        assertEquals(new NumberFormat.SecondLevel(-128, 127, -128, 127), f.limits());
    }

    @Test
    void whatIsNotHereIsRefusedByName() {
        assertTrue(errors(quant("RTN", "").replace("quant:\n", "quant:\n    vision:\n        method: RTN\n")).getFirst()
                .contains("quant.vision: vision models are not here"));
        assertEquals(List.of("awq.yml:8:5: quant.video_gen: video generation models are not here; only the language part of a model can be compressed"),
                errors(BASE + "quant:\n    video_gen:\n        method: RTN\n"));
        assertTrue(errors(quant("RTN", "opencompass:\n    cfg_path: x\n")).getFirst().startsWith("awq.yml:14:1: opencompass: "));
        assertEquals(List.of("awq.yml:8:5: sparse.method TokenReduction reduces image tokens, which text models do not have"),
                errors(BASE + "sparse:\n    method: TokenReduction\n"));
        assertTrue(errors(quant("RTN", "sparse:\n    method: Wanda\n    weight:\n        sparsity: 0.5\n")).contains(
                "awq.yml:14:1: quant and sparse are both here; a run does one of them"));
        assertTrue(errors(quant("RTN", "calib:\n    name: pileval\n    download: True\n    n_samples: 4\n    bs: 1\n    seq_len: 16\n    preproc: pileval_awq\n"))
                .getFirst().contains("LLMC4J loads nothing from the network"));
    }

    @Test
    void evaluations() {
        String eval = "eval:\n    eval_pos: [pretrain, fake_quant]\n    name: [wikitext2, c4]\n    download: False\n    path: /d\n    bs: 1\n    seq_len: 16\n";
        LlmcConfig c = read(quant("RTN", eval));
        assertEquals(List.of("/d/wikitext2", "/d/c4"), c.evaluations().stream().map(LlmcConfig.Evaluation::path).toList());
        assertEquals(List.of("awq.yml:15:5: eval.eval_pos has 'fake_quants'; positions are pretrain, transformed, fake_quant, fake_quant_wo_kv; did you mean 'fake_quant'?"),
                errors(quant("RTN", eval.replace("fake_quant]", "fake_quants]"))));
        assertEquals(List.of("pretrain", "fake_quant"), read(quant("RTN", eval.replace("fake_quant]", "fake-quant]"))).evaluations().getFirst().positions());
        assertEquals(List.of("awq.yml:16:5: eval.name is 'custom'; data sets are wikitext2, c4, ptb, custom_ppl, custom_gen"),
                errors(quant("RTN", eval.replace("[wikitext2, c4]", "custom"))));
    }

    @Test
    void overrides() {
        LlmcConfig c = read(quant("RTN", ""), "quant.weight.bit=3", "compat=llmc", "model.path=/other");
        assertEquals(3, c.quant().get().weight().bits());
        assertTrue(c.compat());
        assertEquals("/other", c.model().path());
        assertEquals("--set 'nokey': give it as key=value, for example --set quant.weight.bit=3",
                assertThrows(BadInput.class, () -> read(quant("RTN", ""), "nokey")).getMessage());
        assertEquals("--set model.path.x: model.path is a value, so nothing can be set in it",
                assertThrows(BadInput.class, () -> read(quant("RTN", ""), "model.path.x=1")).getMessage());
        assertEquals(List.of("--set quant.wieght.bit: unknown key 'wieght' in quant; did you mean 'weight'?"), errors(quant("RTN", ""), "quant.wieght.bit=3"));
    }

    @Test
    void mergeKeys() {
        Yaml.Mapping m = YamlReader.document("a.yml", "a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\n");
        assertEquals("{a={x=1, y=2}, b={y=3, x=1}}", m.asObject().toString());
    }

    @Test
    void mixedBits() {
        LlmcConfig c = read(quant("Awq", """
                    mix_bits:
                        setting_0:
                            layer_name: [down_proj#0-1-30]
                            do_quant: True
                            weight:
                                bit: 8
                                symmetric: False
                                granularity: per_group
                                group_size: 128
                        setting_1:
                            layer_name: [o_proj]
                            do_quant: False
                """));
        assertEquals(2, c.quant().get().mixedBits().size());
        assertEquals(8, c.quant().get().mixedBits().getFirst().weight().get().bits());
    }
}
