package io.llmc4j.formats.export.gguf;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** The bytes before the data section: magic, version 3, counts, metadata, tensor entries. */
final class GgufHeader {

    private static final int VERSION = 3;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    GgufHeader(GgufMetadata metadata, List<GgufTensorInfo> tensors) {
        number(GgufFile.MAGIC, 4);
        number(VERSION, 4);
        number(tensors.size(), 8);
        number(metadata.values().size(), 8);
        for (Map.Entry<String, GgufValue> e : metadata.values().entrySet()) {
            text(e.getKey());
            number(e.getValue().kind().ordinal(), 4);
            if (e.getValue() instanceof GgufValue.Array a) {
                number(a.element().ordinal(), 4);
                number(a.values().size(), 8);
                a.values().forEach(this::scalar);
            } else {
                scalar(e.getValue());
            }
        }
        for (GgufTensorInfo t : tensors) {
            text(t.name());
            number(t.shape().rank(), 4);
            for (int d = t.shape().rank() - 1; d >= 0; d--) {
                number(t.shape().dim(d), 8);
            }
            number(t.type().id(), 4);
            number(t.offset(), 8);
        }
    }

    byte[] bytes() {
        return out.toByteArray();
    }

    private void scalar(GgufValue v) {
        switch (v) {
            case GgufValue.Whole w -> number(w.value(), w.kind().bytes());
            case GgufValue.Real r when r.kind() == GgufValue.Kind.F32 -> number(Float.floatToRawIntBits((float) r.value()), 4);
            case GgufValue.Real r -> number(Double.doubleToRawLongBits(r.value()), 8);
            case GgufValue.Bool b -> out.write(b.value() ? 1 : 0);
            case GgufValue.Text t -> text(t.value());
            case GgufValue.Array a -> throw new IllegalArgumentException("array of arrays");
        }
    }

    private void text(String s) {
        byte[] bytes = s.getBytes(StandardCharsets.UTF_8);
        number(bytes.length, 8);
        out.writeBytes(bytes);
    }

    private void number(long v, int bytes) {
        for (int i = 0; i < bytes; i++) {
            out.write((int) (v >> 8 * i));
        }
    }
}
