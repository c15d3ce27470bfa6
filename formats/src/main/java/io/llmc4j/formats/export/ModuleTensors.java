package io.llmc4j.formats.export;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * The stored tensors of one module, asked for by the last part of their name. Each question says what type and shape it expects, so that a
 * wrong file is refused with the tensor's name instead of failing in arithmetic.
 */
public final class ModuleTensors {

    private final String module;
    private final Function<String, Optional<Tensor>> lookup;

    /** @param lookup by full name */
    public ModuleTensors(String module, Function<String, Optional<Tensor>> lookup) {
        this.module = module;
        this.lookup = lookup;
    }

    /** "model.layers.0.self_attn.q_proj". */
    public String module() {
        return module;
    }

    public boolean has(String suffix) {
        return find(suffix).isPresent();
    }

    public Optional<Tensor> find(String suffix) {
        return lookup.apply(module + "." + suffix);
    }

    /** Throws BadInput (FORMAT) when it is missing or of another type. */
    public Tensor get(String suffix, DType... allowed) {
        Tensor t = find(suffix).orElseThrow(() -> BadInput.of(BadInput.Common.FORMAT, "%s.%s is missing", module, suffix));
        if (allowed.length != 0 && !List.of(allowed).contains(t.dtype())) {
            throw BadInput.of(BadInput.Common.FORMAT, "%s.%s is %s, expected %s", module, suffix, t.dtype(), Arrays.toString(allowed));
        }
        return t;
    }

    /** Of rank two. */
    public Tensor matrix(String suffix, DType... allowed) {
        Tensor t = get(suffix, allowed);
        if (t.shape().rank() != 2) {
            throw BadInput.of(BadInput.Common.FORMAT, "%s.%s has shape %s, expected two extents", module, suffix, t.shape());
        }
        return t;
    }

    /** Of that shape. */
    public Tensor shaped(String suffix, Shape shape, DType... allowed) {
        Tensor t = get(suffix, allowed);
        if (!t.shape().equals(shape)) {
            throw BadInput.of(BadInput.Common.FORMAT, "%s.%s has shape %s, expected %s", module, suffix, t.shape(), shape);
        }
        return t;
    }

    /** Floats of any shape with that many elements. */
    public float[] floats(String suffix, long elements) {
        Tensor t = get(suffix, DType.F32, DType.F16, DType.BF16, DType.F64);
        if (t.elements() != elements) {
            throw BadInput.of(BadInput.Common.FORMAT, "%s.%s has shape %s, expected %d elements", module, suffix, t.shape(), elements);
        }
        return Tensors.toFloats(t);
    }

    public BadInput wrong(String suffix, String what, Object... args) {
        return new BadInput(BadInput.Common.FORMAT, module + "." + suffix + " " + String.format(java.util.Locale.ROOT, what, args));
    }
}
