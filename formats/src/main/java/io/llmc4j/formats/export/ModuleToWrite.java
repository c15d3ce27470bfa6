package io.llmc4j.formats.export;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.hf.ModuleCodec;
import io.llmc4j.formats.hf.ModuleLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A module as the checkpoint stores it, with what became of the linear layers that it is made of.
 *
 * @param name  full name in the output, "model.layers.0.self_attn.qkv_proj"
 * @param parts in the order of the layout's parts
 */
public record ModuleToWrite(String name, ModuleLayout layout, List<LayerResult> parts) {

    /** How its weight was rounded; empty when it stayed float. Throws BadInput (FORMAT) when parts of one stored tensor differ. */
    public Optional<QuantScheme> weightScheme() {
        return agreed(parts.stream().map(LayerResult::weightScheme).toList(), "weight schemes");
    }

    /** How its inputs are rounded at run time; empty when not. */
    public Optional<QuantScheme> activationScheme() {
        return agreed(parts.stream().map(LayerResult::activationScheme).toList(), "activation schemes");
    }

    /** The static scale of its inputs. */
    public Optional<Float> inputScale() {
        return agreed(parts.stream().map(LayerResult::inputScale).toList(), "activation scales");
    }

    private <T> Optional<T> agreed(List<Optional<T>> values, String what) {
        if (values.stream().distinct().count() > 1) {
            throw BadInput.of(BadInput.Common.FORMAT, "%s is stored as one module, but its parts %s have different %s; give them the same, or leave them float",
                    name, parts.stream().map(LayerResult::fullName).toList(), what);
        }
        return values.getFirst();
    }

    /** Throws BadInput (FORMAT) when a part has none. */
    public QuantizedMatrix codes() {
        List<QuantizedMatrix> all = new ArrayList<>();
        for (LayerResult r : parts) {
            all.add(r.quantized().orElseThrow(() -> BadInput.of(BadInput.Common.FORMAT, "%s was quantized in a way that has no codes (%s); formats of codes "
                    + "cannot hold it, --export fake and --export trans can", r.fullName(), String.join(", ", r.notes()))));
        }
        return ModuleCodec.join(layout, all);
    }

    /** The float weight after the method's transformations, [out, in]. */
    public Matrix transformed() {
        return ModuleCodec.join(layout, p -> part(p).layer().weight());
    }

    /** Quantized and dequantized, [out, in]. */
    public Matrix fake() {
        return ModuleCodec.join(layout, p -> part(p).fake());
    }

    /** [out], or length 0. */
    public float[] bias() {
        return ModuleCodec.joinBias(layout, p -> part(p).layer().bias());
    }

    private LayerResult part(String linear) {
        for (int i = 0; i < parts.size(); i++) {
            if (layout.parts().get(i).linear().equals(linear)) {
                return parts.get(i);
            }
        }
        throw new IllegalArgumentException(name + " has no part " + linear);
    }
}
