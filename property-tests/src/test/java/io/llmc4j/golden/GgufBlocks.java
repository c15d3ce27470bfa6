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

/** The golden block bytes of llama.cpp (resources golden/gguf): inputs, importance, and the bytes of each case. */
final class GgufBlocks {

    static final int ROWS = 6;
    static final int COLS = 512;

    private final byte[] file;
    private final JsonNode header;
    private final JsonNode decoded;
    private final int data;
    private final List<Case> cases = new ArrayList<>();

    /** @param row bytes of a row */
    record Case(String name, String type, int typeId, int row, boolean importance) {
        String input() {
            return name.split("/")[1];
        }
    }

    GgufBlocks() {
        file = read("blocks.safetensors");
        ByteBuffer b = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
        int length = (int) b.getLong(0);
        try {
            ObjectMapper json = new ObjectMapper();
            header = json.readTree(file, 8, length);
            decoded = json.readTree(read("decoded.json"));
            for (JsonNode c : json.readTree(read("index.json"))) {
                cases.add(new Case(c.get("case").asText(), c.get("type").asText(), c.get("type_id").asInt(), c.get("row_bytes").asInt(),
                        c.get("imatrix").asBoolean()));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        data = 8 + length;
    }

    List<Case> cases() {
        return cases;
    }

    /** Rows of the case's input, [6 * 512]. */
    float[] input(Case c) {
        return floats("in/" + c.input());
    }

    /** [512], or length 0. */
    float[] importance(Case c) {
        return c.importance() ? floats("imatrix") : new float[0];
    }

    /** What llama.cpp wrote, [6 * row]. */
    byte[] bytes(String name) {
        JsonNode at = header.get(name).get("data_offsets");
        return Arrays.copyOfRange(file, data + at.get(0).asInt(), data + at.get(1).asInt());
    }

    /** First 16 bytes of the SHA-256 of what llama.cpp decodes the case's bytes to. */
    String decoded(Case c) {
        return decoded.get(c.name()).asText();
    }

    private float[] floats(String name) {
        ByteBuffer b = ByteBuffer.wrap(bytes(name)).order(ByteOrder.LITTLE_ENDIAN);
        float[] out = new float[b.remaining() / 4];
        b.asFloatBuffer().get(out);
        return out;
    }

    private static byte[] read(String name) {
        try (InputStream in = GgufBlocks.class.getResourceAsStream("/golden/gguf/" + name)) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
