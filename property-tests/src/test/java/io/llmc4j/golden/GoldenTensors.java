package io.llmc4j.golden;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.GZIPInputStream;

/**
 * A gzipped safetensors file among the test resources, read by thirty lines of its own so that a defect of the engine's reader cannot hide
 * one of the thing under test.
 */
public final class GoldenTensors {

    private final JsonNode header;
    private final byte[] bytes;
    private final int start;

    private GoldenTensors(JsonNode header, byte[] bytes, int start) {
        this.header = header;
        this.bytes = bytes;
        this.start = start;
    }

    public static GoldenTensors load(String resource) {
        try {
            byte[] all = bytes(resource);
            int n = Math.toIntExact(ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN).getLong(0));
            return new GoldenTensors(new ObjectMapper().readTree(all, 8, n), all, 8 + n);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public static JsonNode json(String resource) {
        try {
            return new ObjectMapper().readTree(bytes(resource));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] bytes(String resource) throws IOException {
        try (InputStream in = GoldenTensors.class.getResourceAsStream(resource)) {
            if (in == null) {
                throw new IOException("no test resource " + resource);
            }
            return new GZIPInputStream(in).readAllBytes();
        }
    }

    /** All but the metadata. */
    public List<String> names() {
        List<String> out = new ArrayList<>();
        header.fieldNames().forEachRemaining(n -> {
            if (!n.equals("__metadata__")) {
                out.add(n);
            }
        });
        return out;
    }

    public boolean has(String name) {
        return header.has(name);
    }

    public int[] shape(String name) {
        JsonNode s = header.get(name).get("shape");
        int[] dims = new int[s.size()];
        Arrays.setAll(dims, i -> s.get(i).asInt());
        return dims;
    }

    public String dtype(String name) {
        return header.get(name).get("dtype").asText();
    }

    /** Raw little-endian bytes of a tensor. */
    public ByteBuffer raw(String name) {
        JsonNode t = header.get(name);
        if (t == null) {
            throw new IllegalArgumentException("no tensor " + name);
        }
        int from = start + t.get("data_offsets").get(0).asInt();
        int to = start + t.get("data_offsets").get(1).asInt();
        return ByteBuffer.wrap(bytes, from, to - from).slice().order(ByteOrder.LITTLE_ENDIAN);
    }

    /** F32, or integers as floats. */
    public float[] floats(String name) {
        ByteBuffer b = raw(name);
        return switch (dtype(name)) {
            case "F32" -> {
                float[] v = new float[b.remaining() / 4];
                b.asFloatBuffer().get(v);
                yield v;
            }
            case "I16" -> {
                float[] v = new float[b.remaining() / 2];
                for (int i = 0; i < v.length; i++) {
                    v[i] = b.getShort(2 * i);
                }
                yield v;
            }
            case "I8" -> {
                float[] v = new float[b.remaining()];
                for (int i = 0; i < v.length; i++) {
                    v[i] = b.get(i);
                }
                yield v;
            }
            case "U8" -> {
                float[] v = new float[b.remaining()];
                for (int i = 0; i < v.length; i++) {
                    v[i] = b.get(i) & 0xff;
                }
                yield v;
            }
            default -> throw new IllegalArgumentException(name + " is " + dtype(name));
        };
    }

    /** F64. */
    public double[] doubles(String name) {
        ByteBuffer b = raw(name);
        double[] v = new double[b.remaining() / 8];
        b.asDoubleBuffer().get(v);
        return v;
    }

    public int[] ints(String name) {
        ByteBuffer b = raw(name);
        int[] v = new int[b.remaining() / 4];
        b.asIntBuffer().get(v);
        return v;
    }

    public byte[] bytesOf(String name) {
        ByteBuffer b = raw(name);
        byte[] v = new byte[b.remaining()];
        b.get(v);
        return v;
    }
}
