package io.llmc4j.tornado;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.device.DeviceMath;
import io.llmc4j.engine.device.ForwardPass;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.ScalarKernels;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** A device that fails, lies or is too small never makes a wrong number, and is always told of. */
class DeviceFallbackTest {

    private static final Worth ALL = new Worth(0, 0);
    private static final BufferBudget LARGE = new BufferBudget(1L << 32, 1 << 28);
    /** One tile of C and one block of sums, and little more. */
    private static final BufferBudget SMALL = new BufferBudget(4 * (64 * 64 + 2 * 64 * 384), 64 * 384);

    private final Kernels cpu = new ScalarKernels();
    private final List<String> notices = new ArrayList<>();

    private TornadoKernels kernels(Accelerator a, DeviceMath math, BufferBudget budget) {
        return new TornadoKernels(a, math, cpu, ALL, budget, notices::add);
    }

    private static float[] values(long seed, int n) {
        Random r = new Random(seed);
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = (float) r.nextGaussian();
        }
        return v;
    }

    /** All forms, accumulating and not, and XᵀX: the CPU's bits whatever the device does. */
    private void sameAsCpu(TornadoKernels k) {
        int m = 150;
        int n = 131;
        int depth = 800;
        float[] a = values(1, m * depth);
        float[] b = values(2, n * depth);
        for (boolean accumulate : new boolean[] {false, true}) {
            float[] want = values(3, m * n);
            float[] got = want.clone();
            cpu.gemmNT(m, n, depth, a, 0, depth, b, 0, depth, want, 0, n, accumulate);
            k.gemmNT(m, n, depth, a, 0, depth, b, 0, depth, got, 0, n, accumulate);
            assertArrayEquals(want, got);
            cpu.gemmNN(m, n, depth, a, 0, depth, b, 0, n, want, 0, n, accumulate);
            k.gemmNN(m, n, depth, a, 0, depth, b, 0, n, got, 0, n, accumulate);
            assertArrayEquals(want, got);
            cpu.gemmTN(m, n, depth, a, 0, m, b, 0, n, want, 0, n, accumulate);
            k.gemmTN(m, n, depth, a, 0, m, b, 0, n, got, 0, n, accumulate);
            assertArrayEquals(want, got);
        }
        float[] want = values(4, n * n);
        float[] got = want.clone();
        cpu.syrk(depth, n, b, 0, n, want, n);
        k.syrk(depth, n, b, 0, n, got, n);
        assertArrayEquals(want, got);
        float[] shrink = {1f, 0.5f, 2f / 3, 0.75f};
        cpu.syrkBatches(depth / 4, n, b, n, shrink, want, n);
        k.syrkBatches(depth / 4, n, b, n, shrink, got, n);
        assertArrayEquals(want, got);
    }

    @Test
    void aSoundDeviceComputesAndIsCounted() {
        FakeAccelerator a = FakeAccelerator.sound();
        TornadoKernels k = kernels(a, DeviceMath.STRICT, LARGE);
        sameAsCpu(k);
        assertEquals(List.of(), notices);
        assertEquals(1, k.account().size());
        assertTrue(k.account().getFirst().contains("strict mathematics") && k.account().getFirst().contains(": 8 products"), k.account().toString());
        k.close();
        assertTrue(a.closed);
    }

    @Test
    void moreThanTheDeviceHoldsGoesInPanels() {
        FakeAccelerator a = FakeAccelerator.sound();
        sameAsCpu(kernels(a, DeviceMath.STRICT, SMALL));
        assertEquals(List.of(), notices);
        assertTrue(a.calls.size() > 100, a.calls.toString());
    }

    @Test
    void everyPanelMayFail() {
        // Every third call fails, with each kind that leaves the device alive.
        FakeAccelerator a = new FakeAccelerator(8L << 30, (i, c) -> {
            if (i > 8 && i % 3 == 0) {
                throw new DeviceFailure(DeviceFailure.Kind.OUT_OF_MEMORY, "no room");
            }
        }, (i, c) -> { });
        TornadoKernels k = kernels(a, DeviceMath.STRICT, new BufferBudget(1L << 20, 1 << 18));
        sameAsCpu(k);
        assertEquals(1, notices.stream().filter(s -> s.contains("product A Bᵀ: out of memory (no room); the CPU computed it")).count(), notices.toString());
        assertTrue(k.account().stream().anyMatch(s -> s.contains("times)")), k.account().toString());
    }

    @Test
    void aLostDeviceIsLeftAlone() {
        FakeAccelerator a = new FakeAccelerator(8L << 30, (i, c) -> {
            if (i == 3) {
                throw new DeviceFailure(DeviceFailure.Kind.LOST, "gone");
            }
        }, (i, c) -> { });
        sameAsCpu(kernels(a, DeviceMath.STRICT, SMALL));
        assertEquals(3, a.calls.size());
        assertEquals(List.of("gpu:0 (OpenCL, fake), product A Bᵀ: the device is lost (gone); the CPU computed it and everything after it"), notices);
    }

    @Test
    void failuresOfOtherKindsAreBornThreeTimes() {
        FakeAccelerator a = new FakeAccelerator(8L << 30, (i, c) -> {
            throw new DeviceFailure(DeviceFailure.Kind.LAUNCH, "refused");
        }, (i, c) -> { });
        TornadoKernels k = kernels(a, DeviceMath.STRICT, LARGE);
        sameAsCpu(k);
        sameAsCpu(k);
        assertEquals(3, a.calls.size());
        assertEquals(3, notices.size(), notices.toString());
    }

    @Test
    void aDeviceWithOneWrongBitIsNotBelieved() {
        FakeAccelerator a = new FakeAccelerator(8L << 30, (i, c) -> { }, (i, c) -> c.data()[c.off() + 17] = Math.nextUp(c.data()[c.off() + 17]));
        TornadoKernels k = kernels(a, DeviceMath.STRICT, LARGE);
        sameAsCpu(k);
        assertEquals(5, a.calls.size(), "each form was tried once, and not used");
        assertTrue(notices.stream().allMatch(s -> s.contains("known sums differ from the CPU's bits; the CPU computes all of them")), notices.toString());
        assertEquals(5, notices.size());
    }

    /** How a driver looks that flushes subnormals to zero. */
    @Test
    void aDeviceThatFlushesSubnormalsIsNotBelieved() {
        FakeAccelerator a = new FakeAccelerator(8L << 30, (i, c) -> { }, (i, c) -> {
            for (int j = 0; j < c.data().length; j++) {
                c.data()[j] = Math.abs(c.data()[j]) < Float.MIN_NORMAL ? 0f : c.data()[j];
            }
        });
        sameAsCpu(kernels(a, DeviceMath.STRICT, LARGE));
        assertTrue(notices.stream().anyMatch(s -> s.startsWith("gpu:0 (OpenCL, fake), product A B: ")), notices.toString());
    }

    @Test
    void relaxedMathematicsNeverDecides() {
        FakeAccelerator a = new FakeAccelerator(8L << 30, (i, c) -> { }, (i, c) -> {
            for (int j = 0; j < c.data().length; j++) {
                c.data()[j] = Math.nextUp(c.data()[j]);
            }
        });
        TornadoKernels k = kernels(a, DeviceMath.FAST, LARGE);
        sameAsCpu(k);
        assertEquals(0, a.calls.size());
        float[] x = values(1, 64 * 64);
        float[] exact = new float[64 * 64];
        float[] relaxed = new float[64 * 64];
        cpu.gemmNT(64, 64, 64, x, 0, 64, x, 0, 64, exact, 0, 64, false);
        ForwardPass.of(() -> {
            k.gemmNT(64, 64, 64, x, 0, 64, x, 0, 64, relaxed, 0, 64, false);
            float[] inside = new float[64 * 64];
            ForwardPass.decision(() -> {
                k.gemmNT(64, 64, 64, x, 0, 64, x, 0, 64, inside, 0, 64, false);
                return inside;
            });
            assertArrayEquals(exact, inside, "a Hessian that a forward pass gathers is a decision");
            return relaxed;
        });
        assertEquals(Math.nextUp(exact[5]), relaxed[5]);
        assertEquals(3, a.calls.size(), "two to try it, one to use it");
        assertTrue(k.account().getFirst().contains("relaxed mathematics, forward passes only; the CPU decided"), k.account().toString());
    }

    @Test
    void relaxedMathematicsHasBounds() {
        FakeAccelerator a = new FakeAccelerator(8L << 30, (i, c) -> { }, (i, c) -> java.util.Arrays.fill(c.data(), Float.NaN));
        TornadoKernels k = kernels(a, DeviceMath.FAST, LARGE);
        ForwardPass.of(() -> {
            sameAsCpu(k);
            return k;
        });
        assertTrue(notices.stream().allMatch(s -> s.contains("known sums are off by NaN")), notices.toString());
    }
}
