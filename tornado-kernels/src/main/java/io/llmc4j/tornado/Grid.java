package io.llmc4j.tornado;

import io.llmc4j.engine.device.Device;

/**
 * Work items of a launch: how many in all, and how many of them form a group. A global size that is not a multiple of the local one, or a group larger
 * than the device's, is not refused by the driver in a way that a program sees, but leaves results unwritten; so grids are made and checked here only.
 */
public record Grid(int globalX, int globalY, int localX, int localY) {

    public Grid {
        if (localX < 1 || localY < 1 || globalX < 1 || globalY < 1 || globalX % localX != 0 || globalY % localY != 0) {
            throw new IllegalArgumentException("grid of " + globalX + " x " + globalY + " in groups of " + localX + " x " + localY);
        }
    }

    /**
     * The smallest grid of such groups that covers so many items; what sticks out is for the kernel to leave alone.
     *
     * @param localBytes that a group needs of the memory it shares
     * @throws IllegalArgumentException when the device bears no such group, or the grid has more than 2^31 - 1 items in a direction
     */
    public static Grid cover(long itemsX, long itemsY, int localX, int localY, long localBytes, Device device) {
        if (itemsX < 1 || itemsY < 1 || localX < 1 || localY < 1) {
            throw new IllegalArgumentException("nothing to cover: " + itemsX + " x " + itemsY + " in groups of " + localX + " x " + localY);
        }
        if ((long) localX * localY > device.maxGroup()) {
            throw new IllegalArgumentException("groups of " + localX + " x " + localY + " on a device that bears " + device.maxGroup());
        }
        if (localBytes > device.localBytes()) {
            throw new IllegalArgumentException(localBytes + " bytes a group on a device with " + device.localBytes());
        }
        return new Grid(roundUp(itemsX, localX), roundUp(itemsY, localY), localX, localY);
    }

    /** One row of items. */
    public static Grid line(long items, int local, long localBytes, Device device) {
        return cover(items, 1, local, 1, localBytes, device);
    }

    /** The next multiple. */
    public static int roundUp(long items, int step) {
        long up = (items + step - 1) / step * step;
        if (up > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(items + " items in steps of " + step + " are too many for a grid");
        }
        return (int) up;
    }

    /** The largest power of two up to {@code most} that this device bears as a group. */
    public static int group(int most, Device device) {
        return Integer.highestOneBit(Math.max(1, Math.min(most, device.maxGroup())));
    }

    public int groups() {
        return Math.multiplyExact(globalX / localX, globalY / localY);
    }
}
