package io.llmc4j.engine.calibrate;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.safetensors.AtomicFile;
import io.llmc4j.engine.tensor.Matrix;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * States in native memory up to a budget; what is more lies in a temporary file that is gone when the store is closed or the process ends. The file
 * is written and read by calls, not mapped: a full disk is then an error that says so, and its pages are not part of the process.
 */
public final class SpillingStateStore implements StateStore {

    private final long budget;
    private final Path directory;
    private final List<Store> open = new ArrayList<>();
    private final Map<Long, Deque<Long>> freeInFile = new HashMap<>();
    private FileChannel file;
    private long fileEnd;
    private long memory;
    private long disk;

    /** @param directory where the temporary file goes when one is needed */
    public SpillingStateStore(long budgetBytes, Path directory) {
        this.budget = budgetBytes;
        this.directory = directory;
    }

    @Override
    public States states(String name) {
        Store s = new Store();
        open.add(s);
        return s;
    }

    @Override
    public long memoryBytes() {
        return memory;
    }

    @Override
    public long diskBytes() {
        return disk;
    }

    @Override
    public void close() {
        for (Store s : List.copyOf(open)) {
            s.close();
        }
        if (file != null) {
            try {
                file.close();
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
            file = null;
        }
    }

    private static final int PIECE = 1 << 20;

    private final ByteBuffer piece = ByteBuffer.allocateDirect(PIECE).order(ByteOrder.nativeOrder());

    /** One stored state; {@code filePosition} -1 when it is in memory, else {@code bytes} has no use. */
    private record Slot(int batch, int tokens, int features, long size, Arena arena, MemorySegment bytes, long filePosition) { }

    private Slot allocate(Hidden h) {
        long bytes = Math.max(4, (long) h.data().data().length * Float.BYTES);
        Arena arena = Arena.ofShared();
        if (memory + bytes <= budget) {
            memory += bytes;
            return new Slot(h.batch(), h.tokens(), h.data().cols(), bytes, arena, arena.allocate(bytes, 64), -1);
        }
        try {
            if (file == null) {
                Path path = Files.createTempFile(directory, "llmc4j-states", ".bin");
                file = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE);
            }
        } catch (IOException e) {
            throw full(0, e);
        }
        Deque<Long> free = freeInFile.getOrDefault(bytes, new ArrayDeque<>());
        long at = free.isEmpty() ? fileEnd : free.pop();
        fileEnd = Math.max(fileEnd, at + (bytes + 63) / 64 * 64);
        disk += bytes;
        return new Slot(h.batch(), h.tokens(), h.data().cols(), bytes, arena, MemorySegment.NULL, at);
    }

    /** @param bytes that were to be written; 0: the file could not even be made */
    private BadInput full(long bytes, IOException e) {
        String wanted = bytes == 0 ? "could not be made" : "of " + disk + " bytes could not take " + bytes + " of them";
        return new BadInput(BadInput.Common.ENVIRONMENT, "hidden states do not fit " + budget + " bytes of memory, and their temporary file in " + directory + " " + wanted + ": "
                + e.getMessage() + AtomicFile.room(directory.resolve("states")).map(r -> " (" + r + ")").orElse("")
                + "; free space, give a larger --memory, or use fewer calibration samples", e);
    }

    private void write(Slot s, float[] data) {
        if (s.filePosition < 0) {
            MemorySegment.copy(data, 0, s.bytes, ValueLayout.JAVA_FLOAT, 0, data.length);
            return;
        }
        try {
            long at = s.filePosition;
            for (int i = 0; i < data.length; i += PIECE / Float.BYTES) {
                int n = Math.min(PIECE / Float.BYTES, data.length - i);
                piece.clear().limit(n * Float.BYTES);
                piece.asFloatBuffer().put(data, i, n);
                while (piece.hasRemaining()) {
                    at += file.write(piece, at);
                }
            }
        } catch (IOException e) {
            throw full(s.size, e);
        }
    }

    private void read(Slot s, float[] data) {
        if (s.filePosition < 0) {
            MemorySegment.copy(s.bytes, ValueLayout.JAVA_FLOAT, 0, data, 0, data.length);
            return;
        }
        try {
            long at = s.filePosition;
            for (int i = 0; i < data.length; i += PIECE / Float.BYTES) {
                int n = Math.min(PIECE / Float.BYTES, data.length - i);
                piece.clear().limit(n * Float.BYTES);
                while (piece.hasRemaining()) {
                    int got = file.read(piece, at);
                    if (got < 0) {
                        throw new IOException("the file became shorter");
                    }
                    at += got;
                }
                piece.flip().asFloatBuffer().get(data, i, n);
            }
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.ENVIRONMENT, "the temporary file of hidden states in " + directory + " cannot be read: " + e.getMessage(), e);
        }
    }

    private void free(Slot s) {
        s.arena.close();
        if (s.filePosition < 0) {
            memory -= s.size;
        } else {
            disk -= s.size;
            freeInFile.computeIfAbsent(s.size, k -> new ArrayDeque<>()).push(s.filePosition);
        }
    }

    private final class Store implements States {

        private final List<Slot> slots = new ArrayList<>();

        @Override
        public void put(int index, Hidden h) {
            while (slots.size() <= index) {
                slots.add(null);
            }
            Slot old = slots.get(index);
            float[] data = h.data().data();
            if (old == null || old.size != Math.max(4, (long) data.length * Float.BYTES)) {
                if (old != null) {
                    free(old);
                    slots.set(index, null);
                }
                old = allocate(h);
            }
            slots.set(index, new Slot(h.batch(), h.tokens(), h.data().cols(), old.size, old.arena, old.bytes, old.filePosition));
            write(slots.get(index), data);
        }

        @Override
        public Hidden get(int index) {
            Slot s = slot(index);
            Matrix m = new Matrix(s.batch * s.tokens, s.features);
            read(s, m.data());
            return new Hidden(s.batch, s.tokens, m);
        }

        @Override
        public int size() {
            return slots.size();
        }

        @Override
        public boolean has(int index) {
            return index >= 0 && index < slots.size() && slots.get(index) != null;
        }

        @Override
        public int batch(int index) {
            return slot(index).batch;
        }

        @Override
        public int rows(int index) {
            Slot s = slot(index);
            return s.batch * s.tokens;
        }

        @Override
        public int features() {
            return slots.stream().filter(java.util.Objects::nonNull).mapToInt(Slot::features).findFirst().orElse(0);
        }

        private Slot slot(int index) {
            if (!has(index)) {
                throw new IllegalArgumentException("no state " + index + " among " + slots.size());
            }
            return slots.get(index);
        }

        @Override
        public void close() {
            for (Slot s : slots) {
                if (s != null) {
                    free(s);
                }
            }
            slots.clear();
            open.remove(this);
        }
    }
}
