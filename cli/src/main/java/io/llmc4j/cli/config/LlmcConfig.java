package io.llmc4j.cli.config;

import io.llmc4j.engine.pipeline.ExpertRules;
import io.llmc4j.engine.quant.QuantScheme;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One of LLMC's configuration files, read and checked on its own; whether methods, models and formats exist is checked by who resolves it.
 *
 * @param seed    of every random draw
 * @param quant   empty when {@code sparse} is there
 * @param experts what is done with mixtures ({@code experts}, a section of our own)
 * @param compat  LLMC's number for every oddity ({@code compat: llmc}, a key of our own)
 * @param notices what was accepted and does nothing, or was read as something else
 * @param document the file with its overrides, as nested maps, for the report
 */
public record LlmcConfig(Mark mark, int seed, Model model, Optional<Calibration> calibration, List<Evaluation> evaluations, Optional<Quant> quant,
                         Optional<Sparse> sparse, Ignored ignored, ExpertRules experts, Save save, boolean compat, List<String> notices, Object document) {

    /** @param type LLMC's name of the model class; @param dtype "auto" or a torch dtype without its prefix */
    public record Model(String type, Mark typeMark, String path, Mark pathMark, String dtype) { }

    /**
     * @param name         pileval, c4, wikitext2, ptb, ultrachat, custom_txt, or any other data set on disk
     * @param samples      how many the preprocessor draws
     * @param batch        -1: all in one
     * @param preprocessor empty: texts as they are
     */
    public record Calibration(Mark mark, String name, Mark nameMark, String path, Mark pathMark, int samples, int batch, int seqLen, String preprocessor,
                              Mark preprocessorMark, boolean padding, boolean chatTemplate) { }

    /**
     * One evaluation: of one data set, at one or more positions.
     *
     * @param positions pretrain, transformed, fake_quant, fake_quant_wo_kv
     * @param type      ppl, decode_ppl, token_acc, generate_only
     */
    public record Evaluation(Mark mark, List<String> positions, String type, String name, String path, Mark pathMark, int batch, int seqLen, int samples,
                             int maxTokens, boolean chatTemplate, int newTokens) { }

    /**
     * @param methods  names as written, one or more to run in a row
     * @param special  the methods' own settings by key, typed: Boolean, Integer, Double, String, a list of them, or a QuantScheme
     * @param quantOut the next block sees the quantized block's output
     * @param target   a width for each layer, chosen under a budget ({@code target_bits}, a key of our own)
     */
    public record Quant(Mark mark, List<Named> methods, QuantScheme weight, Mark weightMark, Optional<QuantScheme> activation, Optional<ActivationSites> sites,
                        Optional<KvCache> kvCache, Map<String, Object> special, boolean quantOut, Packing packing, List<MixedBits> mixedBits, Optional<BitTarget> target) { }

    public record Named(String name, Mark mark) { }

    /** What else activations are rounded at. */
    public record ActivationSites(boolean attention, boolean softmax, boolean activationFunction) { }

    public record KvCache(String method, Mark mark, QuantScheme scheme, int residualLength) { }

    /** @param need need_pack; @param version pack_version or empty */
    public record Packing(boolean need, String version) { }

    /** @param layers names as written, "down_proj" or "down_proj#0-1-30" */
    public record MixedBits(String name, Mark mark, List<String> layers, boolean quantize, Optional<QuantScheme> weight, Optional<QuantScheme> activation) { }

    /**
     * @param average bits of a quantized weight, scales and zero points included
     * @param widths  to choose from; empty: all that the outputs can carry
     */
    public record BitTarget(Mark mark, double average, List<Integer> widths) { }

    /** @param settings sparsity, n_prune_layers */
    public record Sparse(Mark mark, String method, Mark methodMark, Map<String, Object> settings, boolean sparsityOut) { }

    /** Layers that stay in high precision: listed names in listed blocks, and full names. */
    public record Ignored(List<Integer> blocks, List<String> names, List<String> fullNames) {
        public boolean isEmpty() {
            return blocks.isEmpty() && names.isEmpty() && fullNames.isEmpty();
        }
    }

    /** @param targets the {@code save_*} flags that are true, without "save_" */
    public record Save(String path, Mark pathMark, Map<String, Mark> targets, int tensorParallel, int pipelineParallel) { }
}
