package io.llmc4j.formats.export;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.pipeline.KvCacheScheme;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.formats.export.autoawq.AutoAwqFormat;
import io.llmc4j.formats.export.bitsandbytes.BitsAndBytesFormat;
import io.llmc4j.formats.export.compressedtensors.CompressedTensorsFormat;
import io.llmc4j.formats.export.gguf.GgufFormat;
import io.llmc4j.formats.export.gptq.GptqFormat;
import io.llmc4j.formats.export.hqq.HqqFormat;
import io.llmc4j.formats.export.lightx2v.LightX2vFormat;
import io.llmc4j.formats.export.mlx.MlxFormat;
import io.llmc4j.formats.export.mxfp4.Mxfp4Format;
import io.llmc4j.formats.hf.HfModel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The only list of export formats. */
public final class Exports {

    private static final List<ExportFormat> ALL = List.of(
            new FloatFormat("trans", "transformed_model", "floats after the method's transformation; every loader of the original", false),
            new FloatFormat("fake", "fake_quant_model", "floats, quantized and dequantized; every loader of the original", true),
            new CompressedTensorsFormat("vllm", "vllm_quant_model", "compressed-tensors (FP8 blocks and static FP8: fp8) for vLLM", true, false),
            new CompressedTensorsFormat("sglang", "sgl_quant_model", "as vllm, symmetric only, for SGLang", true, true),
            new CompressedTensorsFormat("lightllm", "lightllm_quant_model", "as vllm, symmetric only, for LightLLM", true, true),
            new CompressedTensorsFormat("compressed-tensors", "compressed_tensors_model", "compressed-tensors in all of its layouts; vLLM, SGLang, Transformers",
                    false, false),
            new AutoAwqFormat("autoawq", "autoawq_quant_model", "AutoAWQ, version gemm, 4 bits asymmetric; AutoAWQ, vLLM, Transformers"),
            new AutoAwqFormat("mlcllm", "mlcllm_quant_model", "the same files for MLC-LLM's q4f16_autoawq conversion"),
            new GptqFormat("gptq", "gptq_quant_model", "GPTQ, version 1 (asymmetric: 2), with g_idx; GPTQModel, vLLM, Transformers", false),
            new GptqFormat("gptq_v2", "gptq_v2_quant_model", "GPTQ, version 2; GPTQModel, vLLM", true),
            new LightX2vFormat("lightx2v", "lightx2v_quant_model", "8-bit integers or e4m3 per channel, as LLMC writes them for LightX2V"),
            new FloatFormat("trtllm", "trtllm_transformed_model", "floats after the transformation, for TensorRT-LLM's own conversion", false),
            new Mxfp4Format(),
            new MlxFormat(),
            new HqqFormat(),
            new BitsAndBytesFormat("bnb-nf4"),
            new BitsAndBytesFormat("bnb-fp4"),
            new BitsAndBytesFormat("bnb-int8"),
            GgufFormat.DEFAULT);

    private Exports() {
    }

    public static List<ExportFormat> all() {
        return ALL;
    }

    /** Throws BadInput (USAGE) naming all formats. */
    public static ExportFormat named(String name) {
        return find(name).orElseThrow(() -> BadInput.of(BadInput.Common.USAGE,
                "there is no export format '%s'; there are %s", name, String.join(", ", ALL.stream().map(ExportFormat::name).toList())));
    }

    public static Optional<ExportFormat> find(String name) {
        if (name.startsWith(GgufFormat.PREFIX)) {
            return Optional.of(GgufFormat.parse(name));
        }
        return ALL.stream().filter(f -> f.name().equals(name)).findFirst();
    }

    /**
     * Holds every layer of a run to a format's rules before anything is read. Throws BadInput (FORMAT) naming all offending layers, by reason, and the
     * formats that could hold all of them.
     */
    public static void check(ExportFormat format, List<PlannedLayer> layers) {
        check(format, layers, Optional.empty());
    }

    /** As {@link #check(ExportFormat, List)}, and that the format holds a static cache's scales. */
    public static void check(ExportFormat format, List<PlannedLayer> layers, Optional<KvCacheScheme> cache) {
        Optional<KvCacheScheme> calibrated = cache.filter(c -> c.scheme().isStatic());
        Map<String, List<String>> byReason = new LinkedHashMap<>();
        for (PlannedLayer l : layers) {
            problems(format, l).forEach(p -> byReason.computeIfAbsent(p, k -> new ArrayList<>()).add(l.name()));
        }
        List<String> together = format.problems(layers);
        String noCache = calibrated.map(c -> format.whyNoCache(c, layers)).orElse("");
        if (byReason.isEmpty() && together.isEmpty() && noCache.isEmpty()) {
            return;
        }
        StringBuilder s = new StringBuilder("export ").append(format.name()).append(" cannot carry this run:");
        byReason.forEach((reason, names) -> s.append("\n  ").append(reason).append(" (").append(names.size() == 1 ? "1 layer" : names.size() + " layers")
                .append(": ").append(String.join(", ", names)).append(')'));
        together.forEach(t -> s.append("\n  ").append(t));
        if (!noCache.isEmpty()) {
            s.append("\n  quant.kvcache: ").append(noCache);
        }
        List<String> able = ALL.stream().filter(f -> f != format && carries(f, layers) && calibrated.map(c -> f.whyNoCache(c, layers)).orElse("").isEmpty()).map(ExportFormat::name).toList();
        s.append("\n").append(able.isEmpty() ? "no format can carry it" : "these can: " + String.join(", ", able));
        throw new BadInput(BadInput.Common.FORMAT, s.toString());
    }

    private static List<String> problems(ExportFormat format, PlannedLayer l) {
        List<String> out = new ArrayList<>(format.problems(l));
        if (l.stacked() && l.weight().isPresent() && !format.stackedExperts()) {
            out.add("the checkpoint stacks all experts in one tensor, for which servers know no codes of this format; list them under ignored_layers, or use --export mxfp4 or gguf");
        }
        return out;
    }

    /** Whether a format can hold all layers. */
    public static boolean carries(ExportFormat format, List<PlannedLayer> layers) {
        return layers.stream().allMatch(l -> problems(format, l).isEmpty()) && format.problems(layers).isEmpty();
    }

    /**
     * A sink that writes {@code target} in a format. Throws BadInput (OUTPUT) when the target is the source's directory, or is there and not empty.
     *
     * @param maxShardBytes limit of one weight file
     */
    public static ModelSink open(ExportFormat format, HfModel source, Path target, long maxShardBytes, boolean overwrite) {
        return format.open(source, target, maxShardBytes, overwrite);
    }
}
