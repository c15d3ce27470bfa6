package io.llmc4j.tornado.device;

import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.kernel.ScalarKernels;
import io.llmc4j.engine.quant.packing.DenseBits;
import io.llmc4j.engine.tensor.Conversions;
import io.llmc4j.tornado.Grid;
import java.util.ArrayList;
import java.util.List;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.types.arrays.ByteArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/** Norm, softmax, attention, Hadamard, packing and decoding against the engine's. */
final class RowChecks {

    private final ScalarKernels scalar = new ScalarKernels();
    private final Device device;
    private final Values values;

    RowChecks(Device device, Values values) {
        this.device = device;
        this.values = values;
    }

    List<KernelCheck> all() {
        List<KernelCheck> out = new ArrayList<>(List.of(rmsNorm(), softmax(), attention(), hadamardStage()));
        if (device.maxGroup() >= 128 && device.localBytes() >= 2048 * Float.BYTES) {
            out.add(hadamardRows());
        }
        out.addAll(List.of(pack(), unpack(), decode(true), decode(false)));
        return out;
    }

    private Grid line(int items) {
        return Grid.line(items, Grid.group(64, device), 0, device);
    }

    /** Exact bits on a device; as Java the polynomials and sums round twice where the definition rounds once. */
    private String compare(String name, float[] want, FloatArray got, int ulpsAsJava) {
        return values.exact() ? Values.nearly(name, want, got, ulpsAsJava) : Values.difference(name, want, got);
    }

    private KernelCheck rmsNorm() {
        KernelContext context = new KernelContext();
        FloatArray eps = new FloatArray(1);
        FloatArray weight = new FloatArray(300);
        FloatArray x = new FloatArray(67 * 300);
        FloatArray out = new FloatArray(67 * 300);
        List<KernelCheck.Trial> trials = new ArrayList<>();
        for (int[] s : new int[][] {{67, 300}, {3, 16}, {1, 1}, {65, 31}}) {
            float[] v = values.floats(s[0] * s[1]);
            float[] w = values.floats(s[1]);
            float[] want = new float[v.length];
            for (int r = 0; r < s[0]; r++) {
                scalar.rmsNorm(s[1], v, r * s[1], w, 1e-5f, want, r * s[1]);
            }
            trials.add(new KernelCheck.Trial(s[0] + " x " + s[1], line(s[0]), s, () -> {
                Values.spoil(out);
                eps.set(0, 1e-5f);
                Values.put(w, weight);
                Values.put(v, x);
            }, () -> compare("value", want, out, 0)));
        }
        return new KernelCheck("RMS norm", (g, p) -> g.transferToDevice(DataTransferMode.EVERY_EXECUTION, eps, weight, x)
                .task("t", RowKernels::rmsNormRows, context, p.sizes, eps, weight, x, out, p.done).transferToHost(DataTransferMode.EVERY_EXECUTION, out),
                (ctx, sizes, done) -> RowKernels.rmsNormRows(ctx, sizes, eps, weight, x, out, done), trials);
    }

    private KernelCheck softmax() {
        KernelContext context = new KernelContext();
        FloatArray x = new FloatArray(67 * 300);
        List<KernelCheck.Trial> trials = new ArrayList<>();
        for (int[] s : new int[][] {{67, 300}, {3, 16}, {1, 1}, {65, 31}}) {
            float[] v = values.floats(s[0] * s[1]);
            for (int i = 0; i < v.length; i++) {
                v[i] = i % 17 == 3 && s[1] > 1 ? Float.NEGATIVE_INFINITY : v[i] * 8;
            }
            float[] want = v.clone();
            for (int r = 0; r < s[0]; r++) {
                scalar.softmax(s[1], want, r * s[1]);
            }
            trials.add(new KernelCheck.Trial(s[0] + " x " + s[1], line(s[0]), s, () -> Values.put(v, x), () -> compare("value", want, x, 8)));
        }
        return new KernelCheck("softmax", (g, p) -> g.transferToDevice(DataTransferMode.EVERY_EXECUTION, x).task("t", RowKernels::softmaxRows, context, p.sizes, x, p.done)
                .transferToHost(DataTransferMode.EVERY_EXECUTION, x), (ctx, sizes, done) -> RowKernels.softmaxRows(ctx, sizes, x, done), trials);
    }

    /** As the engine's attention computes it: blocks of 64 queries, products, scale, mask, softmax, product. */
    private float[] attended(int heads, int shared, int tokens, int width, float scale, float[] q, float[] k, float[] v) {
        int keyHeads = heads / shared;
        float[] out = new float[tokens * heads * width];
        for (int head = 0; head < heads; head++) {
            for (int t0 = 0; t0 < tokens; t0 += 64) {
                int rows = Math.min(64, tokens - t0);
                int n = t0 + rows;
                float[] s = new float[rows * n];
                scalar.gemmNT(rows, n, width, q, (t0 * heads + head) * width, heads * width, k, head / shared * width, keyHeads * width, s, 0, n, false);
                for (int r = 0; r < rows; r++) {
                    for (int j = 0; j < n; j++) {
                        s[r * n + j] = j <= t0 + r ? s[r * n + j] * scale : Float.NEGATIVE_INFINITY;
                    }
                    scalar.softmax(n, s, r * n);
                }
                scalar.gemmNN(rows, width, n, s, 0, n, v, head / shared * width, keyHeads * width, out, (t0 * heads + head) * width, heads * width, false);
            }
        }
        return out;
    }

    private KernelCheck attention() {
        int most = 4 * 401 * 32;
        KernelContext context = new KernelContext();
        FloatArray scale = new FloatArray(1);
        FloatArray q = new FloatArray(most);
        FloatArray k = new FloatArray(most);
        FloatArray v = new FloatArray(most);
        FloatArray scores = new FloatArray(4 * 401 * 401);
        FloatArray out = new FloatArray(most);
        List<KernelCheck.Trial> trials = new ArrayList<>();
        int[][] shapes = values.exact() ? new int[][] {{4, 2, 65, 8}, {1, 1, 1, 4}} : new int[][] {{4, 2, 65, 32}, {2, 1, 401, 16}, {1, 1, 1, 4}};
        for (int[] s : shapes) {
            float[] vq = values.floats(s[2] * s[0] * s[3]);
            float[] vk = values.floats(s[2] * s[0] / s[1] * s[3]);
            float[] vv = values.floats(s[2] * s[0] / s[1] * s[3]);
            float factor = 1f / (float) Math.sqrt(s[3]);
            float[] want = attended(s[0], s[1], s[2], s[3], factor, vq, vk, vv);
            trials.add(new KernelCheck.Trial(s[0] + " heads, " + s[2] + " tokens", Grid.cover(s[2], s[0], Grid.group(32, device), 1, 0, device), s, () -> {
                Values.spoil(out);
                scale.set(0, factor);
                Values.put(vq, q);
                Values.put(vk, k);
                Values.put(vv, v);
            }, () -> values.exact() ? close("value", want, out) : Values.difference("value", want, out)));
        }
        return new KernelCheck("attention", (g, p) -> g.transferToDevice(DataTransferMode.EVERY_EXECUTION, scale, q, k, v)
                .task("t", RowKernels::attendCausally, context, p.sizes, scale, q, k, v, scores, out, p.done).transferToHost(DataTransferMode.EVERY_EXECUTION, out),
                (ctx, sizes, done) -> RowKernels.attendCausally(ctx, sizes, scale, q, k, v, scores, out, done), trials);
    }

    /** Sums that cancel: a millionth of the largest value. */
    private static String close(String name, float[] want, FloatArray got) {
        float most = 0;
        for (float w : want) {
            most = Math.max(most, Math.abs(w));
        }
        for (int i = 0; i < want.length; i++) {
            if (!(Math.abs(want[i] - got.get(i)) <= 1e-6f * most)) {
                return name + "[" + i + "] is " + got.get(i) + " where the definition gives " + want[i];
            }
        }
        return "";
    }

    private KernelCheck hadamardStage() {
        KernelContext context = new KernelContext();
        FloatArray x = new FloatArray(4096);
        List<KernelCheck.Trial> trials = new ArrayList<>();
        for (int h : new int[] {1, 2, 64, 2048}) {
            float[] v = values.floats(4096);
            float[] want = v.clone();
            for (int i = 0; i < want.length; i += 2 * h) {
                for (int j = i; j < i + h; j++) {
                    want[j] = v[j] + v[j + h];
                    want[j + h] = v[j] - v[j + h];
                }
            }
            trials.add(new KernelCheck.Trial("distance " + h, line(2048), new int[] {2048, h}, () -> Values.put(v, x), () -> Values.difference("value", want, x)));
        }
        return new KernelCheck("Hadamard transform, a stage", (g, p) -> g.transferToDevice(DataTransferMode.EVERY_EXECUTION, x)
                .task("t", RowKernels::hadamardStage, context, p.sizes, x, p.done).transferToHost(DataTransferMode.EVERY_EXECUTION, x),
                (ctx, sizes, done) -> RowKernels.hadamardStage(ctx, sizes, x, done), trials);
    }

    private KernelCheck hadamardRows() {
        KernelContext context = new KernelContext();
        FloatArray x = new FloatArray(5 * 2048);
        List<KernelCheck.Trial> trials = new ArrayList<>();
        for (int[] s : new int[][] {{5, 2048}, {3, 128}, {4, 1}, {2, 256}}) {
            float[] v = values.floats(s[0] * s[1]);
            float[] want = v.clone();
            for (int r = 0; r < s[0]; r++) {
                scalar.walshHadamard(s[1], want, r * s[1]);
            }
            trials.add(new KernelCheck.Trial(s[0] + " x " + s[1], new Grid(s[0] * 128, 1, 128, 1), s, () -> Values.put(v, x), () -> Values.difference("value", want, x)));
        }
        return new KernelCheck("Hadamard transform, local memory", (g, p) -> g.transferToDevice(DataTransferMode.EVERY_EXECUTION, x)
                .task("t", RowKernels::hadamardRows, context, p.sizes, x, p.done).transferToHost(DataTransferMode.EVERY_EXECUTION, x),
                (ctx, sizes, done) -> RowKernels.hadamardRows(ctx, sizes, x, done), trials);
    }

    private KernelCheck pack() {
        KernelContext context = new KernelContext();
        ByteArray codes = new ByteArray(1000);
        IntArray words = new IntArray(300);
        List<KernelCheck.Trial> trials = new ArrayList<>();
        for (int[] s : new int[][] {{4, 1000}, {8, 1000}, {4, 7}, {8, 5}}) {
            byte[] c = values.codes(s[1], s[0]);
            int[] want = DenseBits.packRows(1, s[1], s[0], c);
            trials.add(new KernelCheck.Trial(s[1] + " of " + s[0] + " bits", line(want.length), new int[] {want.length, s[0], s[1]}, () -> {
                words.init(0x5a5a5a5a);
                Values.put(c, codes);
            }, () -> difference(want, words)));
        }
        return new KernelCheck("packing of 4 and 8 bits", (g, p) -> g.transferToDevice(DataTransferMode.EVERY_EXECUTION, codes)
                .task("t", StoredKernels::packWords, context, p.sizes, codes, words, p.done).transferToHost(DataTransferMode.EVERY_EXECUTION, words),
                (ctx, sizes, done) -> StoredKernels.packWords(ctx, sizes, codes, words, done), trials);
    }

    private static String difference(int[] want, IntArray got) {
        for (int i = 0; i < want.length; i++) {
            if (want[i] != got.get(i)) {
                return "word " + i + " is " + Integer.toHexString(got.get(i)) + " where the definition gives " + Integer.toHexString(want[i]);
            }
        }
        return "";
    }

    private KernelCheck unpack() {
        KernelContext context = new KernelContext();
        IntArray words = new IntArray(300);
        ByteArray codes = new ByteArray(1000);
        List<KernelCheck.Trial> trials = new ArrayList<>();
        for (int[] s : new int[][] {{4, 1000}, {8, 1000}, {4, 7}, {8, 5}}) {
            byte[] c = values.codes(s[1], s[0]);
            int[] packed = DenseBits.packRows(1, s[1], s[0], c);
            trials.add(new KernelCheck.Trial(s[1] + " of " + s[0] + " bits", line(s[1]), new int[] {s[1], s[0]}, () -> {
                codes.init((byte) 0x55);
                for (int i = 0; i < packed.length; i++) {
                    words.set(i, packed[i]);
                }
            }, () -> difference(c, codes)));
        }
        return new KernelCheck("unpacking of 4 and 8 bits", (g, p) -> g.transferToDevice(DataTransferMode.EVERY_EXECUTION, words)
                .task("t", StoredKernels::unpackWords, context, p.sizes, words, codes, p.done).transferToHost(DataTransferMode.EVERY_EXECUTION, codes),
                (ctx, sizes, done) -> StoredKernels.unpackWords(ctx, sizes, words, codes, done), trials);
    }

    private static String difference(byte[] want, ByteArray got) {
        for (int i = 0; i < want.length; i++) {
            if (want[i] != got.get(i)) {
                return "code " + i + " is " + got.get(i) + " where the definition gives " + want[i];
            }
        }
        return "";
    }

    /** Every pattern of 16 bits. */
    private KernelCheck decode(boolean bf16) {
        int all = 1 << 16;
        KernelContext context = new KernelContext();
        ShortArray stored = new ShortArray(all);
        FloatArray out = new FloatArray(all);
        float[] want = new float[all];
        for (int i = 0; i < all; i++) {
            want[i] = bf16 ? Conversions.bf16ToFloat((short) i) : Conversions.f16ToFloat((short) i);
        }
        List<KernelCheck.Trial> trials = List.of(new KernelCheck.Trial("every pattern", line(all), new int[] {all, bf16 ? 127 : 15}, () -> {
            Values.spoil(out);
            for (int i = 0; i < all; i++) {
                stored.set(i, (short) i);
            }
        }, () -> Values.difference("pattern", want, out)));
        return new KernelCheck("decoding of " + (bf16 ? "bf16" : "fp16"), (g, p) -> {
            var to = g.transferToDevice(DataTransferMode.EVERY_EXECUTION, stored);
            to = bf16 ? to.task("t", StoredKernels::decodeBf16, context, p.sizes, stored, out, p.done)
                    : to.task("t", StoredKernels::decodeFp16, context, p.sizes, stored, out, p.done);
            return to.transferToHost(DataTransferMode.EVERY_EXECUTION, out);
        }, (ctx, sizes, done) -> {
            if (bf16) {
                StoredKernels.decodeBf16(ctx, sizes, stored, out, done);
            } else {
                StoredKernels.decodeFp16(ctx, sizes, stored, out, done);
            }
        }, trials);
    }
}
