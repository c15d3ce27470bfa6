package io.llmc4j.formats.export.gguf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.export.gguf.block.BlockCodec;
import io.llmc4j.formats.export.gguf.block.GgmlType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** The tensors of a model's files, decoded; remembers which were asked for, so that one that nobody knows is found. */
public final class StoredTensors {

    private static final int PANEL = 1 << 22;
    private static final int LARGEST_VECTOR = 1 << 26;

    private final GgufModelFiles files;
    private final Set<String> asked = new HashSet<>();

    StoredTensors(GgufModelFiles files) {
        this.files = files;
    }

    /** Empty where the file has no such tensor. */
    public Optional<Shape> shape(String name) {
        return Optional.ofNullable(files.tensors().get(name)).map(l -> l.info().shape());
    }

    public boolean has(String name) {
        return files.tensors().containsKey(name);
    }

    /** The type in the file; throws when it is missing. */
    public GgmlType type(String name) {
        return located(name).info().type();
    }

    private GgufModelFiles.Located located(String name) {
        GgufModelFiles.Located l = files.tensors().get(name);
        if (l == null) {
            throw BadInput.of(GgufError.TENSOR, "%s has no tensor %s", files.paths().getFirst(), name);
        }
        asked.add(name);
        return l;
    }

    /** Checks that it is there with this shape. */
    public void expect(String name, long... shape) {
        Shape found = located(name).info().shape();
        if (!found.equals(new Shape(shape))) {
            throw BadInput.of(GgufError.TENSOR, "%s has the shape %s; the architecture needs %s", name, found, new Shape(shape));
        }
        codec(located(name).info());
    }

    private static BlockCodec codec(GgufTensorInfo t) {
        return t.type().codec().orElseThrow(() -> BadInput.of(BadInput.Common.NOT_SUPPORTED, "%s is stored as %s, which is not read as a weight", t.name(),
                t.type()));
    }

    /** A small tensor's values; of length 0 where it is missing. */
    public float[] vector(String name) {
        if (!has(name)) {
            return new float[0];
        }
        GgufTensorInfo info = located(name).info();
        Shape s = info.shape();
        if (s.elements() > LARGEST_VECTOR) {
            throw BadInput.of(GgufError.TENSOR, "%s has the shape %s; a vector is expected", name, s);
        }
        int rows = Math.toIntExact(info.rows());
        return rows(name, 0, rows, Math.toIntExact(s.rank() == 0 ? 1 : s.dim(-1))).data();
    }

    /** As {@link #vector(String)}, refused when it is there with another length. */
    public float[] vector(String name, int length) {
        float[] v = vector(name);
        if (v.length != 0 && v.length != length) {
            throw BadInput.of(GgufError.TENSOR, "%s has %d elements; the architecture needs %d", name, v.length, length);
        }
        return v;
    }

    /** {@code count} rows of {@code cols} values, counted over all leading extents. */
    public Matrix rows(String name, long first, int count, int cols) {
        GgufModelFiles.Located l = located(name);
        Matrix out = new Matrix(count, cols);
        decode(l, first, count, cols, out.data());
        return out;
    }

    private static void decode(GgufModelFiles.Located l, long first, int count, int cols, float[] out) {
        GgmlType type = l.info().type();
        BlockCodec codec = codec(l.info());
        int rowBytes = Math.toIntExact(type.rowBytes(cols));
        MemorySegment bytes = l.file().bytes(l.info());
        int panel = Math.max(1, PANEL / Math.max(1, cols));
        for (int from = 0; from < count; from += panel) {
            int n = Math.min(panel, count - from);
            byte[] raw = bytes.asSlice((first + from) * rowBytes, (long) n * rowBytes).toArray(ValueLayout.JAVA_BYTE);
            int base = from;
            Parallel.forRange(n, Math.max(1, 65536 / Math.max(1, cols)), (a, b) -> {
                for (int r = a; r < b; r++) {
                    codec.decode(raw, r * rowBytes, cols, out, (base + r) * cols);
                }
            });
        }
    }

    /** A tensor of a float type as it is mapped; others decoded to float32 in the arena. */
    public Tensor tensor(String name, Arena arena) {
        GgufModelFiles.Located l = located(name);
        Optional<DType> same = switch (l.info().type()) {
            case F32 -> Optional.of(DType.F32);
            case F16 -> Optional.of(DType.F16);
            case BF16 -> Optional.of(DType.BF16);
            default -> Optional.empty();
        };
        if (same.isPresent()) {
            return new Tensor(same.get(), l.info().shape(), l.file().bytes(l.info()));
        }
        Tensor t = Tensor.allocate(DType.F32, l.info().shape(), arena);
        int cols = Math.toIntExact(l.info().rowElements());
        long rows = l.info().rows();
        int panel = Math.max(1, PANEL / Math.max(1, cols));
        for (long from = 0; from < rows; from += panel) {
            int n = (int) Math.min(panel, rows - from);
            Tensors.store(t, from * cols, rows(name, from, n, cols).data(), 0, n * cols);
        }
        return t;
    }

    /** Tensors that nobody asked for. */
    List<String> unknown() {
        List<String> out = new ArrayList<>(files.tensors().keySet());
        out.removeAll(asked);
        return out;
    }
}
