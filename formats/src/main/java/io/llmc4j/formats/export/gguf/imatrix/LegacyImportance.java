package io.llmc4j.formats.export.gguf.imatrix;

import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.export.gguf.imatrix.ImportanceMatrix.Entry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The older file (.dat): number of entries; for each its name, a number of calls, its values times that number; then the number of
 * chunks and the data set's name. 32-bit numbers, little-endian.
 */
public final class LegacyImportance {

    private static final int LONGEST_NAME = 1 << 12;

    private LegacyImportance() {
    }

    static ImportanceMatrix read(Path file) {
        ByteBuffer in;
        try {
            in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.DATA, "cannot read the importance matrix " + file + ": " + e.getMessage(), e);
        }
        int n = number(in, file, "the number of entries", in.remaining() / 12);
        Map<String, Entry> entries = new HashMap<>();
        for (int i = 0; i < n; i++) {
            String name = text(in, file, "the name of entry " + i);
            int calls = number(in, file, "the calls of " + name, Integer.MAX_VALUE);
            int values = number(in, file, "the values of " + name, in.remaining() / 4);
            if (in.remaining() < 4L * values) {
                throw bad(file, "it ends inside " + name);
            }
            float[] sums = new float[values];
            in.asFloatBuffer().get(sums);
            in.position(in.position() + 4 * values);
            entries.put(name, new Entry(sums, new float[] {Math.max(1, calls)}));
        }
        int chunks = in.remaining() >= 4 ? in.getInt() : 0;
        List<String> datasets = in.remaining() >= 4 ? List.of(text(in, file, "the data set")) : List.of();
        return new ImportanceMatrix(entries, datasets, Math.max(0, chunks), 0);
    }

    private static int number(ByteBuffer in, Path file, String what, int most) {
        if (in.remaining() < 4) {
            throw bad(file, "it ends before " + what);
        }
        int v = in.getInt();
        if (v < 0 || v > most) {
            throw bad(file, what + " is " + Integer.toUnsignedString(v));
        }
        return v;
    }

    private static String text(ByteBuffer in, Path file, String what) {
        int n = number(in, file, "the length of " + what, Math.min(LONGEST_NAME, in.remaining()));
        if (n > in.remaining()) {
            throw bad(file, "it ends inside " + what);
        }
        byte[] bytes = new byte[n];
        in.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static BadInput bad(Path file, String what) {
        return BadInput.of(BadInput.Common.DATA, "%s is no importance matrix: %s", file, what);
    }

    /** Means are kept; counts of single experts are lost in this format, and experts that no token reached get 1. */
    public static void write(ImportanceMatrix m, Path file) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int chunk = Math.max(1, m.chunkSize());
        number(out, m.entries().size());
        m.entries().forEach((name, e) -> {
            text(out, name);
            float most = 0;
            for (float c : e.counts()) {
                most = Math.max(most, c);
            }
            int calls = (int) ((most + chunk - 1) / chunk);
            number(out, calls);
            number(out, e.sums().length);
            for (int i = 0; i < e.sums().length; i++) {
                float count = e.counts()[i / e.columns()];
                float mean = count > 0 ? e.sums()[i] / count : 1f;
                number(out, Float.floatToRawIntBits(mean * calls));
            }
        });
        number(out, m.chunks());
        text(out, m.datasets().isEmpty() ? "" : m.datasets().getLast());
        Path temporary = file.resolveSibling("." + file.getFileName() + ".tmp");
        try {
            Files.write(temporary, out.toByteArray());
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.OUTPUT, "cannot write " + file + ": " + e.getMessage(), e);
        }
    }

    private static void number(ByteArrayOutputStream out, int v) {
        for (int i = 0; i < 4; i++) {
            out.write(v >> 8 * i);
        }
    }

    private static void text(ByteArrayOutputStream out, String s) {
        byte[] bytes = s.getBytes(StandardCharsets.UTF_8);
        number(out, bytes.length);
        out.writeBytes(bytes);
    }
}
