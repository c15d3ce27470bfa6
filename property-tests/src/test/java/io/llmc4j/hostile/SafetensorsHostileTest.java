package io.llmc4j.hostile;

import static io.llmc4j.engine.safetensors.SafetensorsError.*;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.SafetensorsError;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Files that are wrong in one way each; every one is refused with the kind that names the fault. */
class SafetensorsHostileTest {

    @TempDir
    private Path dir;

    static byte[] file(String header, int dataBytes) {
        return file(header.getBytes(StandardCharsets.UTF_8), dataBytes);
    }

    static byte[] file(byte[] header, int dataBytes) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(header.length).array());
        out.writeBytes(header);
        out.writeBytes(new byte[dataBytes]);
        return out.toByteArray();
    }

    private static String entry(String name, String dtype, String shape, String offsets) {
        return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
    }

    private static byte[] length(long n, int more) {
        return ByteBuffer.allocate(8 + more).order(ByteOrder.LITTLE_ENDIAN).putLong(n).array();
    }

    static Stream<Arguments> refused() {
        String a = entry("a", "F32", "[2]", "[0,8]");
        return Stream.of(
                Arguments.of("empty file", TOO_SHORT, new byte[0]),
                Arguments.of("seven bytes", TOO_SHORT, new byte[7]),
                Arguments.of("length of 100,000,001", HEADER_TOO_LARGE, length(100_000_001, 8)),
                Arguments.of("length with the top bit", HEADER_TOO_LARGE, length(Long.MIN_VALUE, 8)),
                Arguments.of("length of all ones", HEADER_TOO_LARGE, length(-1, 8)),
                Arguments.of("length one past the end", HEADER_PAST_END, length(9, 8)),
                Arguments.of("length far past the end", HEADER_PAST_END, length(99_999_999, 8)),
                Arguments.of("no header at all", NOT_AN_OBJECT, length(0, 0)),
                Arguments.of("invalid UTF-8", NOT_UTF8, file(new byte[] {'{', '"', (byte) 0xff, '"', ':', '1', '}'}, 0)),
                Arguments.of("UTF-16", BAD_JSON, file("{}".getBytes(StandardCharsets.UTF_16LE), 0)),
                Arguments.of("half JSON", BAD_JSON, file("{\"a\":", 0)),
                Arguments.of("a comment", BAD_JSON, file("{/* */}", 0)),
                Arguments.of("single quotes", BAD_JSON, file("{'a':1}", 0)),
                Arguments.of("trailing NUL", BAD_JSON, file("{}\0", 0)),
                Arguments.of("two objects", BAD_JSON, file("{}{}", 0)),
                Arguments.of("half a surrogate pair", BAD_JSON, file("{" + entry("\\ud800", "U8", "[0]", "[0,0]") + "}", 0)),
                Arguments.of("nested ten thousand deep", BAD_JSON, file("{\"a\":{\"x\":" + "[".repeat(10_000) + "]".repeat(10_000) + "}}", 0)),
                Arguments.of("a list", NOT_AN_OBJECT, file("[]", 0)),
                Arguments.of("a number", NOT_AN_OBJECT, file("3", 0)),
                Arguments.of("a tensor twice", DUPLICATE_KEY, file("{" + a + "," + a + "}", 8)),
                Arguments.of("a dtype twice", DUPLICATE_KEY, file("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"I8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0)),
                Arguments.of("a shape twice", DUPLICATE_KEY, file("{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"shape\":[0],\"data_offsets\":[0,0]}}", 0)),
                Arguments.of("metadata twice", DUPLICATE_KEY, file("{\"__metadata__\":{},\"__metadata__\":{}}", 0)),
                Arguments.of("a metadata key twice", DUPLICATE_KEY, file("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0)),
                Arguments.of("metadata of a number", BAD_METADATA, file("{\"__metadata__\":{\"a\":1}}", 0)),
                Arguments.of("metadata nested", BAD_METADATA, file("{\"__metadata__\":{\"a\":{}}}", 0)),
                Arguments.of("metadata null", BAD_METADATA, file("{\"__metadata__\":null}", 0)),
                Arguments.of("an entry that is a number", BAD_ENTRY, file("{\"a\":1}", 0)),
                Arguments.of("no dtype", BAD_ENTRY, file("{\"a\":{\"shape\":[0],\"data_offsets\":[0,0]}}", 0)),
                Arguments.of("no shape", BAD_ENTRY, file("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,0]}}", 0)),
                Arguments.of("no offsets", BAD_ENTRY, file("{\"a\":{\"dtype\":\"U8\",\"shape\":[0]}}", 0)),
                Arguments.of("a dtype that is a number", BAD_ENTRY, file("{\"a\":{\"dtype\":8,\"shape\":[0],\"data_offsets\":[0,0]}}", 0)),
                Arguments.of("dtype F23", UNKNOWN_DTYPE, file("{" + entry("a", "F23", "[0]", "[0,0]") + "}", 0)),
                Arguments.of("dtype in lower case", UNKNOWN_DTYPE, file("{" + entry("a", "f32", "[0]", "[0,0]") + "}", 0)),
                Arguments.of("a negative extent", BAD_SHAPE, file("{" + entry("a", "U8", "[-1]", "[0,0]") + "}", 0)),
                Arguments.of("a fractional extent", BAD_SHAPE, file("{" + entry("a", "U8", "[1.0]", "[0,1]") + "}", 1)),
                Arguments.of("an extent of 2^64", BAD_SHAPE, file("{" + entry("a", "U8", "[18446744073709551616]", "[0,0]") + "}", 0)),
                Arguments.of("an extent that is text", BAD_SHAPE, file("{" + entry("a", "U8", "[\"1\"]", "[0,1]") + "}", 1)),
                Arguments.of("a nested shape", BAD_SHAPE, file("{" + entry("a", "U8", "[[1]]", "[0,1]") + "}", 1)),
                Arguments.of("a shape that is a number", BAD_SHAPE, file("{" + entry("a", "U8", "1", "[0,1]") + "}", 1)),
                Arguments.of("65 extents", BAD_SHAPE, file("{" + entry("a", "U8", "[1" + ",1".repeat(64) + "]", "[0,1]") + "}", 1)),
                Arguments.of("three offsets", BAD_OFFSETS, file("{" + entry("a", "U8", "[1]", "[0,1,1]") + "}", 1)),
                Arguments.of("offsets backwards", BAD_OFFSETS, file("{" + entry("a", "U8", "[1]", "[1,0]") + "}", 1)),
                Arguments.of("a negative offset", BAD_OFFSETS, file("{" + entry("a", "U8", "[2]", "[-1,1]") + "}", 1)),
                Arguments.of("size and shape disagree", SIZE_MISMATCH, file("{" + entry("a", "F32", "[3]", "[0,8]") + "}", 8)),
                Arguments.of("a size past 2^63", SIZE_OVERFLOW, file("{" + entry("a", "F64", "[4294967296,4294967296]", "[0,0]") + "}", 0)),
                Arguments.of("an extent of 2^63 - 1", SIZE_OVERFLOW, file("{" + entry("a", "U8", "[9223372036854775807]", "[0,0]") + "}", 0)),
                Arguments.of("half a byte", PARTIAL_BYTE, file("{" + entry("a", "F4", "[3]", "[0,1]") + "}", 1)),
                Arguments.of("an overlap", OVERLAP, file("{" + a + "," + entry("b", "F32", "[2]", "[4,12]") + "}", 12)),
                Arguments.of("the same bytes twice", OVERLAP, file("{" + a + "," + entry("b", "F32", "[2]", "[0,8]") + "}", 8)),
                Arguments.of("a hole", HOLE, file("{" + a + "," + entry("b", "F32", "[2]", "[12,20]") + "}", 20)),
                Arguments.of("a hole at the start", HOLE, file("{" + entry("b", "F32", "[2]", "[4,12]") + "}", 12)),
                Arguments.of("truncated data", PAST_END, file("{" + a + "}", 7)),
                Arguments.of("bytes behind the data", TRAILING_BYTES, file("{" + a + "}", 9)),
                Arguments.of("bytes and no tensor", TRAILING_BYTES, file("{}", 1)),
                Arguments.of("a name of 5000 characters", NAME_TOO_LONG, file("{" + entry("n".repeat(5000), "U8", "[0]", "[0,0]") + "}", 0)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("refused")
    void refusesFromMemoryAndFromDisk(String what, SafetensorsError kind, byte[] bytes) throws Exception {
        BadInput memory = assertThrows(BadInput.class, () -> SafetensorsFile.of(bytes, "hostile").close());
        assertEquals(kind, memory.kind(), memory.getMessage());
        Path p = Files.write(dir.resolve("hostile.safetensors"), bytes);
        BadInput disk = assertThrows(BadInput.class, () -> SafetensorsFile.open(p).close());
        assertEquals(kind, disk.kind(), disk.getMessage());
        assertTrue(disk.getMessage().startsWith(p.toString()), disk.getMessage());
        assertTrue(disk.getMessage().length() < 1000, "an error is a sentence, not a dump");
    }

    static Stream<Arguments> accepted() {
        return Stream.of(
                Arguments.of("no tensors", 0, file("{}", 0)),
                Arguments.of("leading and trailing spaces", 0, file("   {}     ", 0)),
                Arguments.of("a scalar", 1, file("{" + entry("a", "F32", "[]", "[0,4]") + "}", 4)),
                Arguments.of("tensors without elements", 2, file("{" + entry("a", "F32", "[0]", "[0,0]") + "," + entry("b", "F32", "[2,0]", "[0,0]") + "}", 0)),
                Arguments.of("unaligned", 2, file("{" + entry("a", "U8", "[3]", "[0,3]") + "," + entry("b", "F64", "[1]", "[3,11]") + "}", 11)),
                Arguments.of("header out of order", 2, file("{" + entry("b", "U8", "[1]", "[1,2]") + "," + entry("a", "U8", "[1]", "[0,1]") + "}", 2)),
                Arguments.of("unknown fields", 1, file("{\"a\":{\"x\":[{\"y\":1.5e3}],\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1)),
                Arguments.of("two F4 in a byte", 1, file("{" + entry("a", "F4", "[2]", "[0,1]") + "}", 1)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("accepted")
    void acceptsWhatTheReferenceReaderAccepts(String what, int tensors, byte[] bytes) {
        try (SafetensorsFile f = SafetensorsFile.of(bytes, "odd")) {
            assertEquals(tensors, f.names().size());
            f.names().forEach(n -> f.tensor(n).bytes().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE));
        }
    }

    @Test
    void aMissingFileADirectoryAndAMissingTensor() {
        assertEquals(UNREADABLE, assertThrows(BadInput.class, () -> SafetensorsFile.open(dir.resolve("nothing"))).kind());
        assertEquals(UNREADABLE, assertThrows(BadInput.class, () -> SafetensorsFile.open(dir)).kind());
        try (SafetensorsFile f = SafetensorsFile.of(file("{}", 0), "empty")) {
            assertEquals(NO_SUCH_TENSOR, assertThrows(BadInput.class, () -> f.tensor("a")).kind());
        }
    }

    @Test
    void aFileThatChangesWhileItIsOpen() throws Exception {
        byte[] good = file("{" + entry("a", "F32", "[2]", "[0,8]") + "}", 8);
        Path p = Files.write(dir.resolve("f.safetensors"), good);
        try (SafetensorsFile f = SafetensorsFile.open(p)) {
            f.checkUnchanged();
            Files.write(p, Arrays.copyOf(good, good.length + 1));
            assertEquals(CHANGED, assertThrows(BadInput.class, f::checkUnchanged).kind());
            Files.delete(p);
            assertEquals(CHANGED, assertThrows(BadInput.class, f::checkUnchanged).kind());
        }
    }
}
