package io.llmc4j.formats.export.compressedtensors;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.formats.export.CodecReader;
import io.llmc4j.formats.export.WeightCodec;
import io.llmc4j.formats.hf.StoredModule;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Reads the modules of a compressed-tensors model, whichever of its layouts they have. */
public final class CompressedTensorsReader extends CodecReader {

    private final CompressedTensorsConfig config;

    /** @param config the {@code quantization_config} (LLMC: {@code compression_config}) */
    public CompressedTensorsReader(JsonNode config) {
        super(List.of("weight_packed", "weight", "weight_scale", "weight_zero_point", "weight_g_idx", "weight_shape", "weight_global_scale"),
                List.of("input_scale", "input_zero_point", "input_global_scale", "output_scale", "output_zero_point"));
        this.config = CompressedTensorsConfig.parse(config, "quantization_config");
    }

    @Override
    public boolean holds(StoredModule m) {
        return m.find("weight_scale").isPresent();
    }

    /** The scales of a quantized KV cache stand beside the key and value projections. */
    @Override
    public List<String> tensors(StoredModule m) {
        List<String> out = new ArrayList<>(super.tensors(m));
        String name = m.name();
        int dot = name.lastIndexOf('.');
        for (String kind : List.of("k", "v")) {
            String scale = name.substring(0, dot + 1) + kind + "_scale";
            if (name.endsWith("." + kind + "_proj") && m.store().contains(scale)) {
                out.add(scale);
            }
        }
        return out;
    }

    @Override
    public Optional<QuantScheme> activation(StoredModule m) {
        return config.groupOf(m.name()).flatMap(CompressedTensorsConfig.Group::inputs).map(QuantArgs::scheme);
    }

    @Override
    protected WeightCodec codec(StoredModule m) {
        CompressedTensorsConfig.Group g = config.groupOf(m.name()).orElseThrow(() -> BadInput.of(BadInput.Common.FORMAT,
                "%s is stored quantized, but no group of quantization_config has it as a target", m.name()));
        QuantArgs weights = g.weights().orElseThrow(() -> BadInput.of(BadInput.Common.FORMAT,
                "%s is stored quantized, but config_groups.%s says nothing about weights", m.name(), g.name()));
        return Codecs.codec(g.layout(), weights);
    }
}
