package io.llmc4j.engine.safetensors;

import com.fasterxml.jackson.core.JsonGenerator;
import io.llmc4j.engine.tensor.DType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Where each tensor of a new file goes, and the bytes before them. The order is the reference writer's: types that need more alignment first, then
 * by name; the header is padded with spaces to a multiple of 8, so that every tensor is aligned to its type.
 */
record HeaderLayout(Map<String, TensorEntry> entries, byte[] prefix, long fileBytes) {

    /** Reference order of types, largest alignment first. */
    private static final List<DType> RANK = List.of(DType.U64, DType.I64, DType.F64, DType.C64, DType.F32, DType.U32, DType.I32, DType.BF16, DType.F16,
            DType.U16, DType.I16, DType.F8_E5M2FNUZ, DType.F8_E4M3FNUZ, DType.F8_E8M0, DType.F8_E4M3, DType.F8_E5M2, DType.I8, DType.U8,
            DType.F6_E3M2, DType.F6_E2M3, DType.F4, DType.BOOL);

    static HeaderLayout of(List<TensorDeclaration> tensors, Map<String, String> metadata) {
        List<TensorDeclaration> sorted = new ArrayList<>(tensors);
        sorted.sort(Comparator.<TensorDeclaration>comparingInt(t -> RANK.indexOf(t.dtype())).thenComparing(TensorDeclaration::name));
        Map<String, TensorEntry> entries = new LinkedHashMap<>();
        long at = 0;
        for (TensorDeclaration t : sorted) {
            long end = Math.addExact(at, t.bytes());
            if (t.name().equals("__metadata__") || entries.put(t.name(), new TensorEntry(t.name(), t.dtype(), t.shape(), at, end)) != null) {
                throw new IllegalArgumentException("tensor name '" + t.name() + "' twice, or reserved");
            }
            at = end;
        }
        byte[] prefix = prefix(entries, metadata, 0);
        return new HeaderLayout(Collections.unmodifiableMap(entries), prefix, prefix.length + at);
    }

    /** The eight bytes of length and the header in a room of at least {@code room} bytes, spaces behind it. */
    static byte[] prefix(Map<String, TensorEntry> entries, Map<String, String> metadata, int room) {
        byte[] json = json(entries, new TreeMap<>(metadata));
        if (json.length > SafetensorsHeader.MAX_HEADER) {
            throw new IllegalArgumentException("a header of " + json.length + " bytes");
        }
        int n = Math.max(Math.ceilDiv(json.length, 8) * 8, room);
        byte[] prefix = new byte[8 + n];
        for (int i = 0; i < 8; i++) {
            prefix[i] = (byte) ((long) n >>> 8 * i);
        }
        System.arraycopy(json, 0, prefix, 8, json.length);
        java.util.Arrays.fill(prefix, 8 + json.length, prefix.length, (byte) ' ');
        return prefix;
    }

    private static byte[] json(Map<String, TensorEntry> entries, Map<String, String> metadata) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (JsonGenerator g = SafetensorsHeader.JSON.createGenerator(out)) {
            g.writeStartObject();
            if (!metadata.isEmpty()) {
                g.writeObjectFieldStart("__metadata__");
                for (Map.Entry<String, String> e : metadata.entrySet()) {
                    g.writeStringField(e.getKey(), e.getValue());
                }
                g.writeEndObject();
            }
            for (TensorEntry e : entries.values()) {
                g.writeObjectFieldStart(e.name());
                g.writeStringField("dtype", e.dtype().name());
                g.writeArrayFieldStart("shape");
                for (long d : e.shape().dims()) {
                    g.writeNumber(d);
                }
                g.writeEndArray();
                g.writeArrayFieldStart("data_offsets");
                g.writeNumber(e.begin());
                g.writeNumber(e.end());
                g.writeEndArray();
                g.writeEndObject();
            }
            g.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }
}
