package io.llmc4j.formats.export.compressedtensors;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.model.StaticKvCache;
import io.llmc4j.engine.pipeline.KvCacheScheme;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.export.CodesWriter;
import io.llmc4j.formats.export.ModuleToWrite;
import io.llmc4j.formats.export.WeightCodec;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Writes modules in compressed-tensors. Modules with the same arguments are a group; one group alone targets every Linear, several name their
 * modules. What stays float is named in the ignore list, and so is the head.
 */
final class CompressedTensorsWriter extends CodesWriter {

    private record Kind(Layout layout, QuantArgs weights, Optional<QuantArgs> inputs) implements java.io.Serializable { }

    private final Map<Kind, List<String>> groups = new LinkedHashMap<>();
    private Optional<QuantArgs> cache = Optional.empty();

    @Override
    protected Coded encode(ModuleToWrite m, Arena arena) {
        QuantizedMatrix q = m.codes();
        Optional<QuantScheme> inputs = m.activationScheme();
        Layout layout = Codecs.layout(q.scheme(), inputs.isPresent());
        QuantArgs weights = QuantArgs.of(q.scheme(), true, q.columnGroup().length != 0);
        WeightCodec codec = Codecs.codec(layout, weights);
        refuse(m, codec.whyNot(q));
        groups.computeIfAbsent(new Kind(layout, weights, inputs.map(s -> QuantArgs.of(s, false, false))), k -> new ArrayList<>()).add(m.name());
        Map<String, Tensor> tensors = new LinkedHashMap<>(codec.encode(q, arena));
        m.inputScale().ifPresent(s -> tensors.put("input_scale", Tensors.fromFloats(DType.F32, new Shape(1), new float[]{s}, arena)));
        return Coded.of(codec, m, q, tensors);
    }

    /** One scale for a layer's keys and one for its values, F32 [1]: x = code * scale. */
    @Override
    public Map<String, Tensor> cache(KvCacheScheme scheme, StaticKvCache.Params params, Arena arena) {
        cache = Optional.of(QuantArgs.of(scheme.scheme().withStatic(true), false, false));
        return Map.of("k_scale", Tensors.fromFloats(DType.F32, new Shape(1), new float[]{params.keys().scale(0)}, arena),
                "v_scale", Tensors.fromFloats(DType.F32, new Shape(1), new float[]{params.values().scale(0)}, arena));
    }

    @Override
    public void describe(ObjectNode config, String head) {
        describe(config, head, floats());
    }

    /** @param floats modules that stayed float */
    void describe(ObjectNode config, String head, List<String> floats) {
        List<CompressedTensorsConfig.Group> all = new ArrayList<>();
        groups.forEach((kind, modules) -> all.add(new CompressedTensorsConfig.Group("group_" + all.size(), groups.size() == 1 ? List.of("Linear") : modules,
                kind.layout, Optional.of(kind.weights), kind.inputs)));
        List<Layout> layouts = all.stream().map(CompressedTensorsConfig.Group::layout).distinct().toList();
        Layout layout = layouts.isEmpty() ? Layout.DENSE : layouts.size() == 1 ? layouts.getFirst() : Layout.MIXED;
        List<String> ignore = new ArrayList<>(List.of(head));
        ignore.addAll(floats);
        config.set("quantization_config", new CompressedTensorsConfig(layout, all, ignore, cache).json());
    }
}
