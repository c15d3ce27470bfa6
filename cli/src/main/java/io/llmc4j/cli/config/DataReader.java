package io.llmc4j.cli.config;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** {@code calib} and {@code eval}. */
final class DataReader {

    private static final List<String> PREPROCESSORS = List.of("wikitext2_gptq", "ptb_gptq", "c4_gptq", "pileval_awq", "pileval_smooth", "pileval_omni",
            "txt_general_preproc", "random_truncate_txt", "ultrachat_general");
    private static final List<String> NOT_TEXT = List.of("custom_mm", "images", "t2v", "i2v", "vlm_datastes");
    private static final List<String> POSITIONS = List.of("pretrain", "transformed", "fake_quant", "fake_quant_wo_kv");
    private static final List<String> EVALUATIONS = List.of("ppl", "decode_ppl", "token_acc", "generate_only", "code", "acc", "vqa", "video_gen");
    private static final List<String> EVALUATION_DATA = List.of("wikitext2", "c4", "ptb", "custom_ppl", "custom_gen");

    private DataReader() {
    }

    static Optional<LlmcConfig.Calibration> calibration(Section s) {
        Problems problems = s.problems();
        Optional<String> name = s.requiredText("name");
        if (name.isPresent() && NOT_TEXT.contains(name.get())) {
            problems.error(s.mark("name"), "calib.name %s is image, audio or video data; only text models are here, which calibrate on text", name.get());
            return Optional.empty();
        }
        if (s.bool("download", false)) {
            problems.error(s.mark("download"), "calib.download is True; LLMC4J loads nothing from the network: download the data set and name it in calib.path "
                    + "(a .txt, .jsonl or .json file, or a data set folder), with download: False");
        }
        Optional<String> path = s.text("path");
        if (path.isEmpty() && !s.bool("download", false)) {
            problems.error(s.mark("path"), "calib.path is missing: a .txt, .jsonl or .json file, or a data set folder");
        }
        s.inert("load_from_txt", "calib.path may name a .txt file anyway");
        s.inert("seed", "sampling uses base.seed");
        s.inert("type", "LLMC never reads it");
        boolean padding = s.bool("padding", false);
        Optional<String> preprocessor = s.choice("preproc", preprocessors());
        if (preprocessor.isEmpty() && !s.has("preproc") && !padding) {
            problems.error(s.mark(), "calib.preproc is missing; it can be %s", String.join(", ", PREPROCESSORS));
        }
        int samples = s.integer("n_samples", 1, Integer.MAX_VALUE).orElse(128);
        if (!s.has("n_samples") && !padding) {
            problems.error(s.mark(), "calib.n_samples is missing");
        }
        s.require("bs");
        int batch = s.integer("bs").orElse(1);
        if (batch == 0 || batch < -1) {
            problems.error(s.mark("bs"), "calib.bs is %d; it has to be -1 (all samples at once) or at least 1", batch);
        }
        int seqLen = s.integer("seq_len", 1, Integer.MAX_VALUE).orElse(0);
        if (seqLen == 0 && !s.has("seq_len") && !padding) {
            problems.error(s.mark(), "calib.seq_len is missing");
        }
        boolean chat = s.bool("apply_chat_template", false);
        if (padding && name.isPresent() && !name.get().equals("custom_txt") && !name.get().equals("ultrachat")) {
            problems.error(s.mark("padding"), "calib.padding is for custom_txt and ultrachat, found with %s", name.get());
        }
        if (name.isPresent() && name.get().equals("ultrachat") && preprocessor.isPresent() && !preprocessor.get().equals("ultrachat_general")) {
            problems.error(s.mark("preproc"), "calib.name ultrachat needs preproc ultrachat_general, found %s", preprocessor.get());
        }
        for (String k : List.of("add_answer", "sample_steps", "target_height", "target_width", "num_frames", "guidance_scale")) {
            s.refuse(k, "is for image and video models, which are not here");
        }
        s.done();
        return name.map(n -> new LlmcConfig.Calibration(s.mark(), n, s.mark("name"), path.orElse(""), s.mark("path"), samples, batch, seqLen,
                preprocessor.orElse(""), s.mark("preproc"), padding, chat));
    }

    private static List<String> preprocessors() {
        return PREPROCESSORS;
    }

    static List<LlmcConfig.Evaluation> evaluations(Section top) {
        Optional<Yaml> value = top.value("eval");
        if (value.isEmpty()) {
            return List.of();
        }
        List<LlmcConfig.Evaluation> out = new ArrayList<>();
        switch (value.get()) {
            case Yaml.Mapping m -> evaluation(new Section("eval", m, top.problems()), out);
            case Yaml.Sequence list -> {
                for (int i = 0; i < list.items().size(); i++) {
                    if (list.items().get(i) instanceof Yaml.Mapping m) {
                        evaluation(new Section("eval." + i, m, top.problems()), out);
                    } else {
                        top.problems().error(list.items().get(i).mark(), "eval is a list of mappings, found %s", list.items().get(i).describe());
                    }
                }
            }
            case Yaml.Scalar s -> top.problems().error(s.mark(), "eval has to be a mapping or a list of mappings, found %s", s.describe());
        }
        return List.copyOf(out);
    }

    private static void evaluation(Section s, List<LlmcConfig.Evaluation> out) {
        Problems problems = s.problems();
        s.require("eval_pos");
        List<String> positions = new ArrayList<>();
        for (String p : s.value("eval_pos").isPresent() ? s.texts("eval_pos").orElse(List.of()) : List.<String>of()) {
            if (p.equals("fake-quant")) {
                problems.notice(s.mark("eval_pos"), "%s: fake-quant is read as fake_quant", s.name("eval_pos"));
                positions.add("fake_quant");
            } else if (p.equals("nahh")) {
                problems.notice(s.mark("eval_pos"), "%s: nahh is not a position; nothing is evaluated for it", s.name("eval_pos"));
            } else if (POSITIONS.contains(p)) {
                positions.add(p);
            } else {
                problems.error(s.mark("eval_pos"), "%s has '%s'; positions are %s%s", s.name("eval_pos"), p, String.join(", ", POSITIONS),
                        Nearest.hint(p, POSITIONS));
            }
        }
        String type = s.choice("type", EVALUATIONS).orElse("ppl");
        if (List.of("code", "acc", "vqa", "video_gen").contains(type)) {
            problems.error(s.mark("type"), "%s %s is not here: %s", s.name("type"), type, type.equals("code")
                    ? "it runs the Python programs that the model writes" : "it needs image or video models");
        }
        s.require("name");
        List<String> names = s.texts("name").orElse(List.of());
        Optional<String> path = s.text("path");
        boolean download = s.bool("download", false);
        if (download) {
            problems.error(s.mark("download"), "%s is True; LLMC4J loads nothing from the network: download the data set and name it in %s "
                    + "(a .txt, .jsonl or .json file, or a data set folder), with download: False", s.name("download"), s.name("path"));
        } else if (path.isEmpty()) {
            problems.error(s.mark("path"), "%s is missing: a .txt, .jsonl or .json file, or a data set folder", s.name("path"));
        }
        s.require("bs");
        int batch = s.integer("bs").orElse(1);
        if (batch == 0) {
            problems.error(s.mark("bs"), "%s is 0", s.name("bs"));
        }
        int seqLen = s.integer("seq_len", 2, Integer.MAX_VALUE).orElse(0);
        if (seqLen == 0 && !s.has("seq_len") && (type.equals("ppl") || type.equals("token_acc"))) {
            problems.error(s.mark(), "%s is missing", s.name("seq_len"));
        }
        int samples = s.integer("num_samples", 1, Integer.MAX_VALUE).orElse(1);
        int tokens = s.integer("num_eval_tokens", 1, Integer.MAX_VALUE).orElse(0);
        boolean chat = s.bool("apply_chat_template", false);
        int newTokens = s.integer("max_new_tokens", 1, Integer.MAX_VALUE).orElse(32);
        s.inert("inference_per_block", "blocks are always streamed");
        s.inert("eval_token_consist", "LLMC never reads it; use type: token_acc");
        s.inert("tasks", "LLMC never reads it");
        s.inert("load_from_txt", "eval.path may name a .txt file anyway");
        for (String k : List.of("num_workers", "res_path", "format_tabs", "instruction", "add_chat_temp", "statistics", "output_video_path", "target_height",
                "target_width", "num_frames", "guidance_scale", "fps")) {
            s.refuse(k, "belongs to evaluations of code, images and video, which are not here");
        }
        s.done();
        for (String name : names) {
            if (!EVALUATION_DATA.contains(name)) {
                problems.error(s.mark("name"), "%s is '%s'; data sets are %s%s", s.name("name"), name, String.join(", ", EVALUATION_DATA),
                        Nearest.hint(name, EVALUATION_DATA));
                continue;
            }
            // A list of several names reads path/<name>, as LLMC's download tool lays them out.
            String from = path.map(p -> names.size() > 1 ? p + "/" + name : p).orElse("");
            out.add(new LlmcConfig.Evaluation(s.mark(), List.copyOf(positions), type, name, from, s.mark("path"), batch, seqLen, samples, tokens, chat, newTokens));
        }
    }
}
