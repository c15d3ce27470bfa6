package io.llmc4j.formats.export.fp8;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.export.CodesWriter;
import io.llmc4j.formats.export.ModuleToWrite;
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Writes modules for the fp8 method: blocks with dynamic activations, or one scale a tensor with static ones. LLMC nests its list of ignored
 * layers in a list, which no loader reads; ours is flat.
 */
public final class Fp8Writer extends CodesWriter {

    private Optional<Granularity> granularity = Optional.empty();
    private boolean isStatic;

    @Override
    public Coded encode(ModuleToWrite m, Arena arena) {
        QuantizedMatrix q = m.codes();
        Granularity g = q.scheme().granularity();
        boolean fixed = m.activationScheme().map(QuantScheme::isStatic).orElse(false);
        if (granularity.isPresent() && !(granularity.get().equals(g) && isStatic == fixed)) {
            throw BadInput.of(BadInput.Common.FORMAT, "%s: the fp8 method has one block size and one activation scheme a model, found %s after %s", m.name(), g,
                    granularity.get());
        }
        granularity = Optional.of(g);
        isStatic = fixed;
        Fp8Codec codec = g.kind() == Granularity.Kind.PER_BLOCK ? new Fp8Codec(g.size(), g.width()) : Fp8Codec.PER_TENSOR;
        refuse(m, codec.whyNot(q));
        Map<String, Tensor> tensors = new LinkedHashMap<>(codec.encode(q, arena));
        m.inputScale().ifPresent(s -> tensors.put("input_scale", Tensors.fromFloats(DType.F32, new Shape(1), new float[]{s}, arena)));
        return Coded.of(codec, m, q, tensors);
    }

    @Override
    public void describe(ObjectNode config, String head) {
        describe(config, head, floats());
    }

    /** @param floats modules that stayed float */
    public void describe(ObjectNode config, String head, List<String> floats) {
        ObjectNode q = config.putObject("quantization_config");
        q.put("activation_scheme", isStatic ? "static" : "dynamic");
        boolean blocks = granularity.map(g -> g.kind() == Granularity.Kind.PER_BLOCK).orElse(false);
        if (blocks) {
            q.put("fmt", "e4m3");
        }
        ArrayNode ignore = q.putArray("ignored_layers").add(head);
        floats.forEach(ignore::add);
        ArrayNode skip = q.putArray("modules_to_not_convert").add(head);
        floats.forEach(skip::add);
        q.put("quant_method", "fp8");
        if (blocks) {
            q.putArray("weight_block_size").add(granularity.get().size()).add(granularity.get().width());
        }
    }
}
