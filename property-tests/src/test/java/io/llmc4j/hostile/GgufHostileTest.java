package io.llmc4j.hostile;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.export.gguf.GgufError;
import io.llmc4j.formats.export.gguf.GgufFile;
import io.llmc4j.formats.export.gguf.GgufModelFiles;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** GGUF files that lie: each is refused with its own kind, and nothing but {@link BadInput} comes out. */
class GgufHostileTest {

    @TempDir
    Path dir;

    /** Builds a file field by field. */
    private static final class Bytes {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        Bytes u32(long v) {
            return number(v, 4);
        }

        Bytes u64(long v) {
            return number(v, 8);
        }

        Bytes text(String s) {
            byte[] b = s.getBytes(StandardCharsets.UTF_8);
            u64(b.length);
            out.writeBytes(b);
            return this;
        }

        Bytes raw(int... bytes) {
            for (int b : bytes) {
                out.write(b);
            }
            return this;
        }

        private Bytes number(long v, int n) {
            for (int i = 0; i < n; i++) {
                out.write((int) (v >> 8 * i));
            }
            return this;
        }

        Bytes header(long tensors, long keys) {
            return raw('G', 'G', 'U', 'F').u32(3).u64(tensors).u64(keys);
        }

        Bytes tensor(String name, int type, long offset, long... fastestFirst) {
            text(name).u32(fastestFirst.length);
            for (long d : fastestFirst) {
                u64(d);
            }
            return u32(type).u64(offset);
        }

        Bytes zeros(int n) {
            for (int i = 0; i < n; i++) {
                out.write(0);
            }
            return this;
        }
    }

    private static Bytes file() {
        return new Bytes();
    }

    private void refused(GgufError kind, Bytes bytes) throws IOException {
        Path p = dir.resolve("hostile.gguf");
        Files.write(p, bytes.out.toByteArray());
        BadInput e = assertThrows(BadInput.class, () -> GgufFile.open(p).close());
        assertEquals(kind, e.kind(), e.getMessage());
        assertTrue(e.getMessage().length() > 20, e.getMessage());
    }

    @Test
    void eachLieHasItsKind() throws IOException {
        refused(GgufError.NOT_GGUF, file());
        refused(GgufError.NOT_GGUF, file().raw('G', 'G', 'M', 'L').zeros(100));
        refused(GgufError.VERSION, file().raw('G', 'G', 'U', 'F').u32(1).zeros(100));
        refused(GgufError.VERSION, file().raw('G', 'G', 'U', 'F', 0, 0, 0, 3).zeros(100));
        refused(GgufError.TRUNCATED, file().raw('G', 'G', 'U', 'F').u32(3).u32(0));
        refused(GgufError.LIMIT, file().header(1L << 40, 0).zeros(64));
        refused(GgufError.LIMIT, file().header(-1, 0).zeros(64));
        refused(GgufError.LIMIT, file().header(0, 1L << 60).zeros(64));
        refused(GgufError.LIMIT, file().header(0, 1).u64(Long.MAX_VALUE).zeros(64));
        refused(GgufError.TRUNCATED, file().header(0, 1).u64(1 << 20).zeros(64));
        refused(GgufError.TEXT, file().header(0, 1).u64(2).raw(0xc3, 0x28).u32(4).u32(1).zeros(64));
        refused(GgufError.TYPE, file().header(0, 1).text("k").u32(13).zeros(64));
        refused(GgufError.TYPE, file().header(0, 1).text("k").u32(9).u32(9).u64(1).zeros(64));
        refused(GgufError.TYPE, file().header(0, 1).text("k").u32(7).raw(2).zeros(64));
        refused(GgufError.LIMIT, file().header(0, 1).text("k").u32(9).u32(8).u64(1L << 33).zeros(64));
        refused(GgufError.LIMIT, file().header(0, 1).text("k").u32(10).u64(-1).zeros(64));
        refused(GgufError.DUPLICATE, file().header(0, 2).text("k").u32(4).u32(1).text("k").u32(4).u32(1).zeros(64));
        refused(GgufError.OFFSET, file().header(0, 1).text("general.alignment").u32(4).u32(48).zeros(64));
        refused(GgufError.METADATA, file().header(0, 1).text("general.alignment").u32(8).text("32").zeros(64));
        refused(GgufError.LIMIT, file().header(1, 0).tensor("n".repeat(64), 0, 0, 1).zeros(64));
        refused(GgufError.SHAPE, file().header(1, 0).tensor("a", 0, 0, 1, 1, 1, 1, 1).zeros(64));
        refused(GgufError.SHAPE, file().header(1, 0).tensor("a", 0, 0, -4).zeros(64));
        refused(GgufError.SHAPE, file().header(1, 0).tensor("a", 0, 0, 1L << 40, 1L << 40).zeros(64));
        refused(GgufError.SHAPE, file().header(1, 0).tensor("a", 2, 0, 33).zeros(64));
        refused(GgufError.TYPE, file().header(1, 0).tensor("a", 4, 0, 32).zeros(64));
        refused(GgufError.OFFSET, file().header(1, 0).tensor("a", 0, 32, 8).zeros(128));
        refused(GgufError.OFFSET, file().header(2, 0).tensor("a", 0, 0, 8).tensor("b", 0, 0, 8).zeros(128));
        refused(GgufError.DUPLICATE, file().header(2, 0).tensor("a", 0, 0, 8).tensor("a", 0, 32, 8).zeros(128));
        refused(GgufError.TRUNCATED, file().header(1, 0).tensor("a", 0, 0, 1 << 20).zeros(128));
    }

    private byte[] tiny() throws IOException {
        try (InputStream in = getClass().getResourceAsStream("/gguf/tiny.gguf")) {
            return in.readAllBytes();
        }
    }

    /** Every prefix is refused, or is the whole. */
    @Test
    void everyPrefix() throws IOException {
        byte[] all = tiny();
        Path p = dir.resolve("prefix.gguf");
        for (int n = 0; n < all.length - 28; n += n < 300 ? 1 : 7) {
            Files.write(p, java.util.Arrays.copyOf(all, n));
            assertThrows(BadInput.class, () -> GgufFile.open(p).close(), "prefix of " + n);
        }
    }

    /** Every byte of the header changed: opened or refused, never another exception. */
    @Test
    void everyByte() throws IOException {
        byte[] all = tiny();
        Path p = dir.resolve("flipped.gguf");
        for (int i = 0; i < 1100; i++) {
            byte[] changed = all.clone();
            changed[i] ^= (byte) (i % 3 == 0 ? 0x01 : i % 3 == 1 ? 0x80 : 0xff);
            Files.write(p, changed);
            try (GgufFile f = GgufFile.open(p)) {
                f.tensors().forEach(f::bytes);
            } catch (BadInput e) {
                assertTrue(e.kind() instanceof GgufError, e.getMessage());
            }
        }
    }

    @Test
    void missingPartsAreNamed() throws IOException {
        Path p = dir.resolve("m-00001-of-00003.gguf");
        Files.write(p, file().header(0, 2).text("split.no").u32(2).raw(0, 0).text("split.count").u32(2).raw(3, 0).zeros(64).out.toByteArray());
        BadInput e = assertThrows(BadInput.class, () -> GgufModelFiles.open(p));
        assertEquals(GgufError.SPLIT, e.kind());
        assertTrue(e.getMessage().contains("m-00002-of-00003.gguf") && e.getMessage().contains("m-00003-of-00003.gguf"), e.getMessage());
        Path renamed = dir.resolve("m.gguf");
        Files.move(p, renamed);
        assertEquals(GgufError.SPLIT, assertThrows(BadInput.class, () -> GgufModelFiles.open(renamed)).kind());
    }
}
