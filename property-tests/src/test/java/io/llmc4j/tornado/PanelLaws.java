package io.llmc4j.tornado;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.kernel.Kernels;
import java.util.Optional;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;

/** Grids cover and fit; panels cover, fit, and are cut where no bit can change. */
class PanelLaws {

    private static Device device(int maxGroup, long localBytes, long memory) {
        return new Device(0, "OpenCL", "test", "GPU", memory, localBytes, maxGroup);
    }

    @Property(tries = 500)
    void gridsCoverEveryItemWithWholeGroupsAndNoGroupTooMany(@ForAll @LongRange(min = 1, max = 1 << 22) long x, @ForAll @LongRange(min = 1, max = 1 << 22) long y,
                                                             @ForAll @IntRange(min = 1, max = 64) int localX, @ForAll @IntRange(min = 1, max = 64) int localY) {
        Device d = device(4096, 1 << 16, 1L << 32);
        Grid g = Grid.cover(x, y, localX, localY, 1024, d);
        assertEquals(0, g.globalX() % g.localX());
        assertEquals(0, g.globalY() % g.localY());
        assertTrue(g.globalX() >= x && g.globalX() - x < localX, g.toString());
        assertTrue(g.globalY() >= y && g.globalY() - y < localY, g.toString());
    }

    @Property(tries = 300)
    void whatADeviceDoesNotBearIsNeverLaunched(@ForAll @IntRange(min = 1, max = 2048) int localX, @ForAll @IntRange(min = 1, max = 64) int localY,
                                               @ForAll @IntRange(min = 1, max = 1024) int maxGroup, @ForAll @LongRange(min = 0, max = 1 << 17) long localBytes) {
        Device d = device(maxGroup, 1 << 16, 1L << 32);
        if ((long) localX * localY > maxGroup || localBytes > d.localBytes()) {
            assertThrows(IllegalArgumentException.class, () -> Grid.cover(1000, 1000, localX, localY, localBytes, d));
        } else {
            assertTrue(Grid.cover(1000, 1000, localX, localY, localBytes, d).groups() > 0);
        }
        int group = Grid.group(256, d);
        assertTrue(group <= maxGroup && group <= 256 && Integer.bitCount(group) == 1 && (group == 256 || 2 * group > maxGroup), "group " + group);
    }

    @Property(tries = 1000)
    void panelsFitAndAreCutOnlyWhereTheDefinitionAddsBlockSums(@ForAll @IntRange(min = 1, max = 200_000) int m, @ForAll @IntRange(min = 1, max = 200_000) int n,
                                                               @ForAll @IntRange(min = 1, max = 60_000) int k, @ForAll @LongRange(min = 1 << 18, max = 1L << 36) long bytes) {
        BufferBudget budget = new BufferBudget(bytes, bytes / 8);
        Optional<PanelPlan> plan = PanelPlan.of(m, n, k, budget);
        if (plan.isEmpty()) {
            long side = PanelPlan.TILE;
            assertTrue(bytes < 4 * (side * side + 2 * side * Kernels.K_BLOCK) || budget.largestFloats() < side * Kernels.K_BLOCK, "refused " + budget);
            return;
        }
        PanelPlan p = plan.get();
        assertTrue(budget.bears((long) p.rows() * p.depth(), (long) p.cols() * p.depth(), (long) p.rows() * p.cols()), p.toString());
        assertTrue(p.depth() == k || p.depth() % Kernels.K_BLOCK == 0, p.toString());
        assertTrue(p.rows() == m || p.rows() % PanelPlan.TILE == 0, p.toString());
        assertTrue(p.cols() == n || p.cols() % PanelPlan.TILE == 0, p.toString());
    }

    @Property(tries = 300)
    void whatFitsIsOnePanel(@ForAll @IntRange(min = 1, max = 4096) int m, @ForAll @IntRange(min = 1, max = 4096) int n, @ForAll @IntRange(min = 1, max = 4096) int k) {
        assertEquals(Optional.of(new PanelPlan(m, n, k)), PanelPlan.of(m, n, k, BufferBudget.of(device(256, 1 << 15, 8L << 30))));
        assertEquals(1, new PanelPlan(m, n, k).panels(m, n, k));
    }

    @Property(tries = 200)
    void aBudgetIsNeverMoreThanTheDeviceOrWhatAnIntCounts(@ForAll @LongRange(min = 0, max = 1L << 42) long memory) {
        BufferBudget b = BufferBudget.of(device(256, 1 << 15, memory));
        assertTrue(b.totalBytes() <= memory && b.totalBytes() <= 4L << 30);
        assertTrue(b.largestFloats() < Integer.MAX_VALUE && b.largestFloats() * 4 * 4 <= memory);
        assertTrue(b.halved().totalBytes() * 2 <= b.totalBytes());
    }

    @Property(tries = 300)
    void sizesAreReadAsTornadoReadsThem(@ForAll @IntRange(min = 0, max = 100_000) int n) {
        assertEquals((long) n << 30, BufferBudget.bytes(n + "GB"));
        assertEquals((long) n << 20, BufferBudget.bytes(n + " mb"));
        assertEquals((long) n << 10, BufferBudget.bytes(n + "KB"));
        assertEquals(n, BufferBudget.bytes(String.valueOf(n)));
        assertEquals(4L << 30, BufferBudget.bytes("much"));
    }

    @Property(tries = 300)
    void moreWorkOnTheSameNumbersIsNeverLessWorth(@ForAll @IntRange(min = 1, max = 3000) int m, @ForAll @IntRange(min = 1, max = 3000) int n,
                                                  @ForAll @IntRange(min = 1, max = 3000) int k) {
        Worth w = Worth.DEFAULT;
        if (w.product(m, n, k, true)) {
            assertTrue(w.product(m, n, k, false) && w.product(2 * m, n, k, true) && w.product(m, 2 * n, k, true));
        }
        // One row, or one column of sums: every number is used once.
        assertTrue(!w.product(1, n, k, false) && !w.product(m, 1, k, false));
        assertTrue(new Worth(0, 0).product(1, 1, 1, false));
    }
}
