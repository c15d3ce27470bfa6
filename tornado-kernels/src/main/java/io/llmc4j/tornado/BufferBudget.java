package io.llmc4j.tornado;

import io.llmc4j.engine.device.Device;

/**
 * How much a call may have on a device.
 *
 * @param totalBytes  of all buffers of a call
 * @param largestFloats of one buffer: what an int can count, and a quarter of the device, which is all that OpenCL promises of one allocation
 */
public record BufferBudget(long totalBytes, long largestFloats) {

    /** TornadoVM's bound for all buffers, whatever the device has. */
    static final String PROPERTY = "tornado.device.memory";
    private static final String DEFAULT = "4GB";
    /** Elements of a native array, its header left out. */
    private static final long MOST_ELEMENTS = Integer.MAX_VALUE - 16L;

    public BufferBudget {
        if (totalBytes < 0 || largestFloats < 0) {
            throw new IllegalArgumentException("budget of " + totalBytes + " bytes, " + largestFloats + " floats a buffer");
        }
    }

    /** Three quarters of what TornadoVM may take of this device: graphs of other shapes hold buffers too. */
    public static BufferBudget of(Device device) {
        long most = Math.min(device.memoryBytes(), bytes(System.getProperty(PROPERTY, DEFAULT)));
        return new BufferBudget(most / 4 * 3, Math.min(MOST_ELEMENTS, device.memoryBytes() / 4 / Float.BYTES));
    }

    /** For the next try after a device ran out of memory. */
    public BufferBudget halved() {
        return new BufferBudget(totalBytes / 2, largestFloats / 2);
    }

    boolean bears(long aFloats, long bFloats, long cFloats) {
        return Math.max(aFloats, Math.max(bFloats, cFloats)) <= largestFloats && (aFloats + bFloats + cFloats) * Float.BYTES <= totalBytes;
    }

    /** "4GB", "512MB", "1024kb", "100" as TornadoVM reads it; its default where it would not. */
    static long bytes(String size) {
        String s = size.strip().toUpperCase(java.util.Locale.ROOT);
        int shift = s.endsWith("GB") ? 30 : s.endsWith("MB") ? 20 : s.endsWith("KB") ? 10 : 0;
        String number = shift == 0 ? s : s.substring(0, s.length() - 2).strip();
        return number.matches("[0-9]{1,9}") ? Long.parseLong(number) << shift : bytes(DEFAULT);
    }
}
