package io.llmc4j.formats.export.gguf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.export.gguf.GgufValue.Kind;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/** Key-value pairs of a file, in order. Getters throw {@link GgufError#METADATA} with the key, what was found and what is needed. */
public final class GgufMetadata {

    private final Map<String, GgufValue> values = new LinkedHashMap<>();

    public Map<String, GgufValue> values() {
        return Collections.unmodifiableMap(values);
    }

    public GgufMetadata copy() {
        GgufMetadata m = new GgufMetadata();
        m.values.putAll(values);
        return m;
    }

    public boolean has(String key) {
        return values.containsKey(key);
    }

    public GgufMetadata put(String key, GgufValue value) {
        values.put(key, value);
        return this;
    }

    public GgufMetadata remove(String key) {
        values.remove(key);
        return this;
    }

    public GgufMetadata u32(String key, long v) {
        return put(key, new GgufValue.Whole(Kind.U32, v));
    }

    public GgufMetadata u16(String key, long v) {
        return put(key, new GgufValue.Whole(Kind.U16, v));
    }

    public GgufMetadata i32(String key, long v) {
        return put(key, new GgufValue.Whole(Kind.I32, v));
    }

    public GgufMetadata f32(String key, double v) {
        return put(key, new GgufValue.Real(Kind.F32, (float) v));
    }

    public GgufMetadata bool(String key, boolean v) {
        return put(key, new GgufValue.Bool(v));
    }

    public GgufMetadata text(String key, String v) {
        return put(key, new GgufValue.Text(v));
    }

    public GgufMetadata texts(String key, List<String> v) {
        return put(key, new GgufValue.Array(Kind.TEXT, v.stream().map(t -> (GgufValue) new GgufValue.Text(t)).toList()));
    }

    public GgufMetadata i32s(String key, int[] v) {
        List<GgufValue> list = new ArrayList<>(v.length);
        for (int i : v) {
            list.add(new GgufValue.Whole(Kind.I32, i));
        }
        return put(key, new GgufValue.Array(Kind.I32, list));
    }

    public GgufMetadata f32s(String key, float[] v) {
        List<GgufValue> list = new ArrayList<>(v.length);
        for (float f : v) {
            list.add(new GgufValue.Real(Kind.F32, f));
        }
        return put(key, new GgufValue.Array(Kind.F32, list));
    }

    public GgufMetadata bools(String key, List<Boolean> v) {
        return put(key, new GgufValue.Array(Kind.BOOL, v.stream().map(b -> (GgufValue) new GgufValue.Bool(b)).toList()));
    }

    public Optional<String> text(String key) {
        return get(key, "text", v -> v instanceof GgufValue.Text t ? t.value() : null);
    }

    public Optional<Boolean> bool(String key) {
        return get(key, "true or false", v -> v instanceof GgufValue.Bool b ? b.value() : null);
    }

    public Optional<Long> whole(String key) {
        return get(key, "an integer", v -> v instanceof GgufValue.Whole w ? w.value() : null);
    }

    public Optional<Double> real(String key) {
        return get(key, "a number", v -> v instanceof GgufValue.Real r ? Double.valueOf(r.value())
                : v instanceof GgufValue.Whole w ? Double.valueOf(w.value()) : null);
    }

    public Optional<List<GgufValue>> array(String key, Kind element) {
        return get(key, "an array of " + element, v -> v instanceof GgufValue.Array a && a.element() == element ? a.values() : null);
    }

    public Optional<List<String>> texts(String key) {
        return array(key, Kind.TEXT).map(list -> list.stream().map(v -> ((GgufValue.Text) v).value()).toList());
    }

    /** Whole numbers, whatever integer type they have; a single number is a list of one. */
    public Optional<long[]> wholes(String key) {
        return get(key, "integers", v -> switch (v) {
            case GgufValue.Whole w -> new long[] {w.value()};
            case GgufValue.Array a when a.values().stream().allMatch(e -> e instanceof GgufValue.Whole) ->
                    a.values().stream().mapToLong(e -> ((GgufValue.Whole) e).value()).toArray();
            default -> null;
        });
    }

    public String needText(String key) {
        return text(key).orElseThrow(() -> missing(key));
    }

    public double needReal(String key) {
        return real(key).orElseThrow(() -> missing(key));
    }

    /** An integer from 0 to 2^31 - 1. */
    public int needCount(String key) {
        return count(key).orElseThrow(() -> missing(key));
    }

    /** An integer from 0 to 2^31 - 1, where the key is present. */
    public Optional<Integer> count(String key) {
        return whole(key).map(v -> {
            if (v < 0 || v > Integer.MAX_VALUE) {
                throw BadInput.of(GgufError.METADATA, "%s is %d; a count from 0 to %d is needed", key, v, Integer.MAX_VALUE);
            }
            return v.intValue();
        });
    }

    private static BadInput missing(String key) {
        return BadInput.of(GgufError.METADATA, "the metadata has no %s", key);
    }

    private <T> Optional<T> get(String key, String wanted, Function<GgufValue, T> as) {
        GgufValue v = values.get(key);
        if (v == null) {
            return Optional.empty();
        }
        T t = as.apply(v);
        if (t == null) {
            String found = v instanceof GgufValue.Array a ? "an array of " + a.element() : v.kind().toString();
            throw BadInput.of(GgufError.METADATA, "%s is %s; %s is needed", key, found, wanted);
        }
        return Optional.of(t);
    }
}
