package io.llmc4j.tornado.device;

import io.llmc4j.tornado.Panel;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/** Between panels of heap arrays and the native arrays that a device is sent. */
final class Buffers {

    /** Smaller buffers are not worth a program of their own. */
    private static final int LEAST = 1 << 12;

    private Buffers() {
    }

    /** The size of the buffer that holds so many: the next power of two, or half way to it, so that few programs do for many shapes. */
    static int capacity(long elements) {
        long c = LEAST;
        while (c < elements) {
            c = c + c / 2 >= elements ? c + c / 2 : 2 * c;
        }
        return (int) Math.min(c, Integer.MAX_VALUE - 16L);
    }

    /** Rows one after the other. */
    static void put(Panel from, FloatArray to) {
        MemorySegment s = to.getSegment();
        if (from.ld() == from.cols()) {
            MemorySegment.copy(from.data(), from.off(), s, ValueLayout.JAVA_FLOAT, 0, Math.toIntExact(from.elements()));
            return;
        }
        for (int r = 0; r < from.rows(); r++) {
            MemorySegment.copy(from.data(), from.off() + r * from.ld(), s, ValueLayout.JAVA_FLOAT, 4L * r * from.cols(), from.cols());
        }
    }

    static void get(FloatArray from, Panel to) {
        MemorySegment s = from.getSegment();
        for (int r = 0; r < to.rows(); r++) {
            MemorySegment.copy(s, ValueLayout.JAVA_FLOAT, 4L * r * to.cols(), to.data(), to.off() + r * to.ld(), to.cols());
        }
    }

    static FloatArray of(float... values) {
        return FloatArray.fromElements(values);
    }
}
