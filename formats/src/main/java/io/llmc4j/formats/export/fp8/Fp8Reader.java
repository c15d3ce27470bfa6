package io.llmc4j.formats.export.fp8;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.formats.export.CodecReader;
import io.llmc4j.formats.export.WeightCodec;
import io.llmc4j.formats.hf.StoredModule;
import java.util.List;
import java.util.Optional;

/** Reads the modules of a model whose {@code quant_method} is fp8: one scale a tensor, or one a block. */
public final class Fp8Reader extends CodecReader {

    private final WeightCodec codec;
    private final String scale;
    private final QuantScheme inputs;

    public Fp8Reader(JsonNode config) {
        super(List.of("weight", "weight_scale", "weight_scale_inv"), List.of("input_scale"));
        JsonNode block = config.path("weight_block_size");
        if (!config.path("fmt").asText("e4m3").equals("e4m3")) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "quantization_config: fp8 with fmt %s; read here: e4m3", config.path("fmt"));
        }
        boolean blocks = block.isArray();
        if (blocks && (block.size() != 2 || block.get(0).asInt() < 1 || block.get(1).asInt() < 1)) {
            throw BadInput.of(BadInput.Common.FORMAT, "quantization_config: weight_block_size is %s, expected two positive numbers", block);
        }
        codec = blocks ? new Fp8Codec(block.get(0).asInt(), block.get(1).asInt()) : Fp8Codec.PER_TENSOR;
        boolean fixed = config.path("activation_scheme").asText("dynamic").equals("static");
        Granularity g = blocks ? Granularity.perGroup(block.get(1).asInt()) : fixed ? Granularity.PER_TENSOR : Granularity.PER_TOKEN;
        inputs = QuantScheme.floating("e4m3", NumberFormat.Float.Path.NEAREST_EVEN, g).withStatic(fixed);
        scale = blocks ? "weight_scale_inv" : "weight_scale";
    }

    @Override
    public boolean holds(StoredModule m) {
        return m.find(scale).isPresent();
    }

    @Override
    public Optional<QuantScheme> activation(StoredModule m) {
        return Optional.of(inputs);
    }

    @Override
    protected WeightCodec codec(StoredModule m) {
        return codec;
    }
}
