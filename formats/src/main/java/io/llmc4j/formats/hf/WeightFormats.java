package io.llmc4j.formats.hf;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.export.autoawq.AutoAwqReader;
import io.llmc4j.formats.export.bitsandbytes.BitsAndBytesFormat;
import io.llmc4j.formats.export.compressedtensors.CompressedTensorsReader;
import io.llmc4j.formats.export.fp8.Fp8Reader;
import io.llmc4j.formats.export.gptq.GptqReader;
import io.llmc4j.formats.export.hqq.HqqFormat;
import io.llmc4j.formats.export.lightx2v.LightX2vFormat;
import io.llmc4j.formats.export.mlx.MlxFormat;
import io.llmc4j.formats.export.mxfp4.Mxfp4Reader;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;

/** The only list of quantized checkpoints that can be read, by the {@code quant_method} of config.json's quantization_config. */
public final class WeightFormats {

    private static final Map<String, Function<JsonNode, WeightReader>> ALL = Map.of(
            "awq", AutoAwqReader::new,
            "bitsandbytes", q -> new BitsAndBytesFormat.Reader(),
            "compressed-tensors", CompressedTensorsReader::new,
            "fp8", Fp8Reader::new,
            "gptq", GptqReader::new,
            "hqq", q -> new HqqFormat.Reader(),
            "mxfp4", Mxfp4Reader::new);

    private WeightFormats() {
    }

    /** The reader that a config.json asks for; empty for a float checkpoint. Throws BadInput (NOT_SUPPORTED) naming an unknown method. */
    public static Optional<WeightReader> of(HfConfig config) {
        JsonNode q = config.json().hasNonNull("quantization_config") ? config.json().get("quantization_config") : config.json().hasNonNull("compression_config")
                ? config.json().get("compression_config") : config.json().get("quantization");
        if (q == null || q.isNull()) {
            // LLMC's word for LightX2V stands at the top
            boolean plain = config.json().path("quant_method").asText("").equals(LightX2vFormat.METHOD);
            return plain ? Optional.of(new LightX2vFormat.Reader()) : Optional.empty();
        }
        if (MlxFormat.Reader.describes(q)) {
            return Optional.of(new MlxFormat.Reader(q));
        }
        String method = q.path("quant_method").asText("");
        Function<JsonNode, WeightReader> format = ALL.get(method);
        if (format == null) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "%s: the weights are stored with quant_method '%s', which is not read here; known: %s",
                    config.where(), method, String.join(", ", new TreeMap<>(ALL).keySet()));
        }
        return Optional.of(format.apply(q));
    }
}
