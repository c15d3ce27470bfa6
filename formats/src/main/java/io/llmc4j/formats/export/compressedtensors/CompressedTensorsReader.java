package io.llmc4j.formats.export.compressedtensors;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.export.CodecReader;
import io.llmc4j.formats.export.WeightCodec;
import io.llmc4j.formats.hf.CacheScales;
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

    /** The scales of a quantized KV cache stand beside the key and value projections: "self_attn.k_scale". */
    @Override
    public List<String> tensors(StoredModule m) {
        List<String> out = new ArrayList<>(super.tensors(m));
        m.layout().parts().forEach(p -> {
            if (p.role() == Role.K && m.store().contains(beside(m, "k_scale"))) {
                out.add(beside(m, "k_scale"));
            } else if (p.role() == Role.V && m.store().contains(beside(m, "v_scale"))) {
                out.add(beside(m, "v_scale"));
            }
        });
        return out;
    }

    private static String beside(StoredModule m, String name) {
        return m.name().substring(0, m.name().lastIndexOf('.') + 1) + name;
    }

    @Override
    public Optional<CacheScales> cacheScales(StoredModule m) {
        if (config.kvCache().isEmpty() || !config.kvCache().get().isStatic()) {
            return Optional.empty();
        }
        QuantArgs args = config.kvCache().get();
        if (!args.strategy().equals("tensor") || !args.symmetric()) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "quantization_config: kv_cache_scheme is %s, %s; one symmetric scale for a layer's keys and one for "
                    + "its values is read", args.strategy(), args.symmetric() ? "symmetric" : "asymmetric");
        }
        return Optional.of(new CacheScales(args.scheme(), scale(m, "k_scale"), scale(m, "v_scale")));
    }

    private static float scale(StoredModule m, String name) {
        Tensor t = m.store().find(beside(m, name)).orElseThrow(() -> BadInput.of(BadInput.Common.FORMAT,
                "%s is missing; kv_cache_scheme of quantization_config promises it", beside(m, name)));
        float s = t.elements() == 1 && t.dtype().isFloat() ? Tensors.toFloats(t)[0] : Float.NaN;
        if (!(s > 0 && s < Float.POSITIVE_INFINITY)) {
            throw BadInput.of(BadInput.Common.FORMAT, "%s is %s %s%s; one positive number is expected", beside(m, name), t.dtype(), t.shape(),
                    t.elements() == 1 ? " with value " + s : "");
        }
        return s;
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
