package io.llmc4j.tornado.device;

import io.llmc4j.engine.device.Device;
import io.llmc4j.tornado.Grid;
import java.util.Locale;

/** The three ways to compute a product; all give the same bits. */
enum Variant {

    PLAIN("one element an item") {
        @Override
        Grid grid(int m, int n, Device d) {
            int side = Math.max(1, Math.min(16, Integer.highestOneBit((int) Math.sqrt(d.maxGroup()))));
            return Grid.cover(n, m, side, side, 0, d);
        }

        @Override
        boolean fits(Device d) {
            return true;
        }
    },
    TILED("tiled, local memory") {
        @Override
        Grid grid(int m, int n, Device d) {
            return Grid.cover(n, m, ProductKernels.TILE, ProductKernels.TILE, ProductKernels.TILED_BYTES, d);
        }

        @Override
        boolean fits(Device d) {
            return d.maxGroup() >= ProductKernels.TILE * ProductKernels.TILE && d.localBytes() >= ProductKernels.TILED_BYTES;
        }
    },
    BLOCKED("tiled, 4 x 4 in registers") {
        @Override
        Grid grid(int m, int n, Device d) {
            int items = ProductKernels.TILE;
            long groupsX = (n + ProductKernels.BLOCK - 1L) / ProductKernels.BLOCK;
            long groupsY = (m + ProductKernels.BLOCK - 1L) / ProductKernels.BLOCK;
            return Grid.cover(groupsX * items, groupsY * items, items, items, ProductKernels.BLOCKED_BYTES, d);
        }

        @Override
        boolean fits(Device d) {
            return d.maxGroup() >= ProductKernels.TILE * ProductKernels.TILE && d.localBytes() >= ProductKernels.BLOCKED_BYTES;
        }
    };

    private final String words;

    Variant(String words) {
        this.words = words;
    }

    String words() {
        return words;
    }

    /** Items for C [m, n]. */
    abstract Grid grid(int m, int n, Device d);

    /** Asked before a kernel with local memory is launched: more than the device has ends the process. */
    abstract boolean fits(Device d);

    /** {@code -Dllmc4j.device.product=plain|tiled|blocked}; else the most that the device bears. */
    static Variant of(Device d) {
        String asked = System.getProperty("llmc4j.device.product", "").toUpperCase(Locale.ROOT);
        for (Variant v : values()) {
            if (v.name().equals(asked) && v.fits(d)) {
                return v;
            }
        }
        // On a CPU as a device too: PoCL was five times as fast with tiles in registers.
        return BLOCKED.fits(d) ? BLOCKED : TILED.fits(d) ? TILED : PLAIN;
    }
}
