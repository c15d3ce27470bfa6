package io.llmc4j.engine.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A parsed and checked header: tensors in the order of the file's header, and the metadata. Strict: what the reference reader refuses is refused, and
 * duplicate keys too, each with its own {@link SafetensorsError}.
 */
record SafetensorsHeader(Map<String, TensorEntry> tensors, Map<String, String> metadata) {

    static final long MAX_HEADER = 100_000_000;
    static final int MAX_TENSORS = 1_000_000;
    static final int MAX_NAME = 4096;

    /** Strings of metadata may be as long as the header; no name is interned, because it comes from a stranger. */
    static final JsonFactory JSON = JsonFactory.builder()
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(64).maxStringLength((int) MAX_HEADER).maxNameLength(65_536).maxNumberLength(64).build())
            .build();

    /** Reads the header from its JSON bytes; {@code dataBytes} is the length of the data section, {@code where} names the file in errors. */
    static SafetensorsHeader parse(InputStream json, long dataBytes, String where) {
        SafetensorsHeader header = read(json, where);
        checkLayout(header.tensors.values(), dataBytes, where);
        return header;
    }

    private static SafetensorsHeader read(InputStream json, String where) {
        SafetensorsHeader header;
        try (JsonParser p = JSON.createParser(new InputStreamReader(json, StandardCharsets.UTF_8.newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT)))) {
            header = new Parser(p, where).header();
        } catch (JsonProcessingException e) {
            throw new BadInput(SafetensorsError.BAD_JSON, where + ": the header is not JSON: " + e.getOriginalMessage(), e);
        } catch (CharacterCodingException e) {
            throw new BadInput(SafetensorsError.NOT_UTF8, where + ": the header is not UTF-8", e);
        } catch (IOException e) {
            throw new BadInput(SafetensorsError.UNREADABLE, where + ": " + e.getMessage(), e);
        }
        return header;
    }

    /** The same of a file that may be cut or put together wrongly: only the tensors that lie wholly inside its data are kept. */
    static SafetensorsHeader salvage(InputStream json, long dataBytes, String where) {
        SafetensorsHeader all = read(json, where);
        Map<String, TensorEntry> whole = new LinkedHashMap<>(all.tensors);
        whole.values().removeIf(e -> e.end() > dataBytes);
        return new SafetensorsHeader(Collections.unmodifiableMap(whole), all.metadata);
    }

    /** No overlap, no hole, nothing behind the end. */
    private static void checkLayout(Iterable<TensorEntry> entries, long dataBytes, String where) {
        List<TensorEntry> sorted = new ArrayList<>();
        entries.forEach(sorted::add);
        sorted.sort(Comparator.comparingLong(TensorEntry::begin).thenComparingLong(TensorEntry::end));
        long at = 0;
        String before = "the header";
        for (TensorEntry e : sorted) {
            if (e.begin() < at) {
                throw BadInput.of(SafetensorsError.OVERLAP, "%s: tensor '%s' begins at byte %d, inside '%s', which ends at %d",
                        where, e.name(), e.begin(), before, at);
            }
            if (e.begin() > at) {
                throw BadInput.of(SafetensorsError.HOLE, "%s: %d bytes between '%s' (ends at %d) and '%s' (begins at %d) belong to no tensor",
                        where, e.begin() - at, before, at, e.name(), e.begin());
            }
            if (e.end() > dataBytes) {
                throw BadInput.of(SafetensorsError.PAST_END, "%s: tensor '%s' ends at data byte %d, but the file has %d; is it truncated?",
                        where, e.name(), e.end(), dataBytes);
            }
            at = e.end();
            before = e.name();
        }
        if (at != dataBytes) {
            throw BadInput.of(SafetensorsError.TRAILING_BYTES, "%s: %d bytes after the last tensor", where, dataBytes - at);
        }
    }

    private record Parser(JsonParser p, String where) {

        SafetensorsHeader header() throws IOException {
            if (p.nextToken() != JsonToken.START_OBJECT) {
                throw BadInput.of(SafetensorsError.NOT_AN_OBJECT, "%s: the header is not a JSON object", where);
            }
            Map<String, TensorEntry> tensors = new LinkedHashMap<>();
            Map<String, String> metadata = null;
            while (p.nextToken() == JsonToken.FIELD_NAME) {
                String name = p.currentName();
                if (name.equals("__metadata__")) {
                    if (metadata != null) {
                        throw duplicate(name, "the header");
                    }
                    metadata = metadata();
                    continue;
                }
                if (name.length() > MAX_NAME) {
                    throw BadInput.of(SafetensorsError.NAME_TOO_LONG, "%s: a tensor name of %d characters, at most %d are taken",
                            where, name.length(), MAX_NAME);
                }
                if (tensors.size() == MAX_TENSORS) {
                    throw BadInput.of(SafetensorsError.TOO_MANY_TENSORS, "%s: more than %d tensors", where, MAX_TENSORS);
                }
                checkSurrogates(name);
                if (tensors.put(name, entry(name)) != null) {
                    throw duplicate(name, "the header");
                }
            }
            if (p.nextToken() != null) {
                throw BadInput.of(SafetensorsError.BAD_JSON, "%s: something follows the header's closing brace", where);
            }
            return new SafetensorsHeader(Collections.unmodifiableMap(tensors), metadata == null ? Map.of() : Collections.unmodifiableMap(metadata));
        }

        /** JSON can spell half a character as an escape; no UTF-8 file could hold that name. */
        private void checkSurrogates(String name) {
            for (int i = 0; i < name.length(); i++) {
                char c = name.charAt(i);
                if (Character.isHighSurrogate(c) && i + 1 < name.length() && Character.isLowSurrogate(name.charAt(i + 1))) {
                    i++;
                } else if (Character.isSurrogate(c)) {
                    throw BadInput.of(SafetensorsError.BAD_JSON, "%s: a tensor name with half a surrogate pair", where);
                }
            }
        }

        private Map<String, String> metadata() throws IOException {
            if (p.nextToken() != JsonToken.START_OBJECT) {
                throw BadInput.of(SafetensorsError.BAD_METADATA, "%s: __metadata__ is not an object", where);
            }
            Map<String, String> m = new LinkedHashMap<>();
            while (p.nextToken() == JsonToken.FIELD_NAME) {
                String key = p.currentName();
                if (p.nextToken() != JsonToken.VALUE_STRING) {
                    throw BadInput.of(SafetensorsError.BAD_METADATA, "%s: __metadata__ '%s' is not a string", where, key);
                }
                if (m.put(key, p.getText()) != null) {
                    throw duplicate(key, "__metadata__");
                }
            }
            return m;
        }

        private TensorEntry entry(String name) throws IOException {
            if (p.nextToken() != JsonToken.START_OBJECT) {
                throw BadInput.of(SafetensorsError.BAD_ENTRY, "%s: tensor '%s' is not an object", where, name);
            }
            DType dtype = null;
            long[] dims = null;
            long[] offsets = null;
            while (p.nextToken() == JsonToken.FIELD_NAME) {
                String field = p.currentName();
                JsonToken value = p.nextToken();
                switch (field) {
                    case "dtype" -> {
                        if (dtype != null) {
                            throw duplicate("dtype", "tensor '" + name + "'");
                        }
                        dtype = dtype(name, value);
                    }
                    case "shape" -> {
                        if (dims != null) {
                            throw duplicate("shape", "tensor '" + name + "'");
                        }
                        dims = numbers(name, "shape", value, SafetensorsError.BAD_SHAPE);
                    }
                    case "data_offsets" -> {
                        if (offsets != null) {
                            throw duplicate("data_offsets", "tensor '" + name + "'");
                        }
                        offsets = numbers(name, "data_offsets", value, SafetensorsError.BAD_OFFSETS);
                    }
                    default -> p.skipChildren();
                }
            }
            if (dtype == null || dims == null || offsets == null) {
                throw BadInput.of(SafetensorsError.BAD_ENTRY, "%s: tensor '%s' has no %s",
                        where, name, dtype == null ? "dtype" : dims == null ? "shape" : "data_offsets");
            }
            if (offsets.length != 2 || offsets[1] < offsets[0]) {
                throw BadInput.of(SafetensorsError.BAD_OFFSETS, "%s: tensor '%s' has data_offsets %s, expected [begin, end]",
                        where, name, Arrays.toString(offsets));
            }
            checkSize(name, dtype, dims, offsets);
            return new TensorEntry(name, dtype, new Shape(dims), offsets[0], offsets[1]);
        }

        private DType dtype(String name, JsonToken value) throws IOException {
            if (value != JsonToken.VALUE_STRING) {
                throw BadInput.of(SafetensorsError.BAD_ENTRY, "%s: the dtype of tensor '%s' is not a string", where, name);
            }
            String text = p.getText();
            return DType.named(text).orElseThrow(() -> BadInput.of(SafetensorsError.UNKNOWN_DTYPE,
                    "%s: tensor '%s' has the unknown dtype '%s'; known are %s", where, name,
                    text.length() > 40 ? text.substring(0, 40) + "…" : text, Arrays.toString(DType.values())));
        }

        private long[] numbers(String name, String field, JsonToken value, SafetensorsError kind) throws IOException {
            if (value != JsonToken.START_ARRAY) {
                throw BadInput.of(kind, "%s: %s of tensor '%s' is not a list", where, field, name);
            }
            long[] out = new long[4];
            int n = 0;
            while (p.nextToken() != JsonToken.END_ARRAY) {
                if (n == 64) {
                    throw BadInput.of(kind, "%s: %s of tensor '%s' has more than 64 numbers", where, field, name);
                }
                if (p.currentToken() != JsonToken.VALUE_NUMBER_INT || p.getNumberType() == JsonParser.NumberType.BIG_INTEGER || p.getLongValue() < 0) {
                    throw BadInput.of(kind, "%s: %s of tensor '%s' holds %s, expected whole numbers from 0 to 2^63 - 1",
                            where, field, name, p.currentToken().isScalarValue() ? p.getText() : "something nested");
                }
                if (n == out.length) {
                    out = Arrays.copyOf(out, 2 * n);
                }
                out[n++] = p.getLongValue();
            }
            return Arrays.copyOf(out, n);
        }

        private void checkSize(String name, DType dtype, long[] dims, long[] offsets) {
            long bits = dtype.bits();
            try {
                for (long d : dims) {
                    bits = Math.multiplyExact(bits, d);
                }
            } catch (ArithmeticException e) {
                throw new BadInput(SafetensorsError.SIZE_OVERFLOW, String.format("%s: tensor '%s' of shape %s %s is larger than 2^63 bits",
                        where, name, Arrays.toString(dims), dtype), e);
            }
            if (bits % 8 != 0) {
                throw BadInput.of(SafetensorsError.PARTIAL_BYTE, "%s: tensor '%s' of %d bits does not fill its last byte", where, name, bits);
            }
            if (bits / 8 != offsets[1] - offsets[0]) {
                throw BadInput.of(SafetensorsError.SIZE_MISMATCH, "%s: tensor '%s' %s%s needs %d bytes, its data_offsets %s give %d",
                        where, name, dtype, Arrays.toString(dims), bits / 8, Arrays.toString(offsets), offsets[1] - offsets[0]);
            }
        }

        private BadInput duplicate(String key, String in) {
            return BadInput.of(SafetensorsError.DUPLICATE_KEY, "%s: '%s' is twice in %s", where, key, in);
        }
    }
}
