package io.llmc4j.runs;

import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.safetensors.SafetensorsWriter;
import io.llmc4j.engine.safetensors.TensorDeclaration;
import io.llmc4j.engine.safetensors.TensorEntry;
import io.llmc4j.engine.safetensors.WriterOptions;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.golden.RoundedModel;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;

/** Small quantized directories for audits, and ways to damage them. */
final class AuditedModels {

    static final long SHARD = 5_000_000_000L;

    private AuditedModels() {
    }

    static QuantScheme ints(int bits, boolean symmetric, Granularity g) {
        return QuantScheme.integer(bits, symmetric, g);
    }

    static QuantScheme fp8(Granularity g) {
        return QuantScheme.floating("e4m3", NumberFormat.Float.Path.NEAREST_EVEN, g);
    }

    /** Plain rounding of every linear layer but routers. */
    static Path write(HfModel model, String format, QuantScheme weight, Optional<QuantScheme> activation, Path target) {
        return write(model, format, l -> l.role().isRouter() ? Optional.empty() : Optional.of(weight), activation, target, SHARD);
    }

    static Path write(HfModel model, String format, Function<Linear, Optional<QuantScheme>> weight, Optional<QuantScheme> activation, Path target, long shard) {
        try (ModelSink sink = Exports.open(Exports.named(format), model, target, shard, false)) {
            RoundedModel.write(model, sink, weight, activation, Optional.empty());
        }
        return target;
    }

    /** Changes the bytes of one tensor of a directory's model.safetensors. */
    static void edit(Path directory, String tensor, Consumer<byte[]> change) {
        Path file = directory.resolve("model.safetensors");
        try {
            TensorEntry e;
            try (SafetensorsFile f = SafetensorsFile.open(file)) {
                e = f.entries().get(tensor);
            }
            try (RandomAccessFile f = new RandomAccessFile(file.toFile(), "rw")) {
                long header = Long.reverseBytes(f.readLong());
                byte[] bytes = new byte[(int) e.bytes()];
                f.seek(8 + header + e.begin());
                f.readFully(bytes);
                change.accept(bytes);
                f.seek(8 + header + e.begin());
                f.write(bytes);
            }
        } catch (IOException x) {
            throw new UncheckedIOException(x);
        }
    }

    /** Every byte's nibbles exchanged. */
    static void swapNibbles(byte[] b) {
        for (int i = 0; i < b.length; i++) {
            b[i] = (byte) (b[i] >>> 4 & 15 | b[i] << 4);
        }
    }

    /** Writes model.safetensors again without some tensors and with others. */
    static void rewrite(Path directory, Predicate<String> keep, Map<String, Tensor> more) {
        Path file = directory.resolve("model.safetensors");
        Path out = directory.resolve("again.safetensors");
        try (Arena arena = Arena.ofConfined()) {
            Map<String, Tensor> tensors = new java.util.LinkedHashMap<>();
            try (SafetensorsFile f = SafetensorsFile.open(file)) {
                f.names().stream().filter(keep).forEach(n -> {
                    Tensor t = f.tensor(n);
                    MemorySegment copy = arena.allocate(t.bytes().byteSize(), 16);
                    copy.copyFrom(t.bytes());
                    tensors.put(n, new Tensor(t.dtype(), t.shape(), copy));
                });
            }
            tensors.putAll(more);
            List<TensorDeclaration> declared = new ArrayList<>();
            tensors.forEach((n, t) -> declared.add(TensorDeclaration.of(n, t)));
            try (SafetensorsWriter w = SafetensorsWriter.create(out, declared, Map.of("format", "pt"), new WriterOptions(true))) {
                for (String n : w.order()) {
                    w.write(n, tensors.get(n));
                }
                w.finish();
            }
            Files.move(out, file, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static float getFloat(byte[] b, int at) {
        return MemorySegment.ofArray(b).get(ValueLayout.JAVA_FLOAT_UNALIGNED, at);
    }

    static void putFloat(byte[] b, int at, float v) {
        MemorySegment.ofArray(b).set(ValueLayout.JAVA_FLOAT_UNALIGNED, at, v);
    }

    static short getShort(byte[] b, int at) {
        return MemorySegment.ofArray(b).get(ValueLayout.JAVA_SHORT_UNALIGNED, at);
    }

    static void putShort(byte[] b, int at, short v) {
        MemorySegment.ofArray(b).set(ValueLayout.JAVA_SHORT_UNALIGNED, at, v);
    }

    static int getInt(byte[] b, int at) {
        return MemorySegment.ofArray(b).get(ValueLayout.JAVA_INT_UNALIGNED, at);
    }

    static void putInt(byte[] b, int at, int v) {
        MemorySegment.ofArray(b).set(ValueLayout.JAVA_INT_UNALIGNED, at, v);
    }
}
