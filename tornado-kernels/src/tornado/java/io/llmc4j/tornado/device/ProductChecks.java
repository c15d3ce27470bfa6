package io.llmc4j.tornado.device;

import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.kernel.ScalarKernels;
import io.llmc4j.tornado.Form;
import io.llmc4j.tornado.Panel;
import java.util.ArrayList;
import java.util.List;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/** Products of every form, and XᵀX, around tile and block edges. */
final class ProductChecks {

    /** Rows, columns, length of sums. */
    static final int[][] SHAPES = {{1, 1, 1}, {15, 17, 16}, {16, 16, 384}, {17, 65, 385}, {63, 64, 31}, {64, 64, 768}, {65, 63, 383}, {130, 70, 800}};

    private final ScalarKernels scalar = new ScalarKernels();
    private final Device device;
    private final Values values;
    private final int[][] shapes;

    ProductChecks(Device device, Values values, int[][] shapes) {
        this.device = device;
        this.values = values;
        this.shapes = shapes;
    }

    KernelCheck of(Variant variant) {
        int most = 1;
        for (int[] s : shapes) {
            most = Math.max(most, Math.max(s[0], s[1]) * Math.max(s[2], Math.max(s[0], s[1])));
        }
        KernelContext context = new KernelContext();
        FloatArray a = new FloatArray(most);
        FloatArray b = new FloatArray(most);
        FloatArray c = new FloatArray(most);
        List<KernelCheck.Trial> trials = new ArrayList<>();
        for (int[] s : shapes) {
            for (Form form : Form.values()) {
                trials.add(product(variant, form, s[0], s[1], s[2], false, a, b, c));
                trials.add(product(variant, form, s[0], s[1], s[2], true, a, b, c));
            }
            trials.add(gram(variant, s[1], s[2], a, b, c));
        }
        return new KernelCheck("products, " + variant.words(), (graph, p) -> {
            var g = graph.transferToDevice(DataTransferMode.EVERY_EXECUTION, a, b, c);
            g = switch (variant) {
                case PLAIN -> g.task("t", ProductKernels::plainProduct, context, p.sizes, a, b, c, p.done);
                case TILED -> g.task("t", ProductKernels::tiledProduct, context, p.sizes, a, b, c, p.done);
                case BLOCKED -> g.task("t", ProductKernels::blockedProduct, context, p.sizes, a, b, c, p.done);
            };
            return g.transferToHost(DataTransferMode.EVERY_EXECUTION, c);
        }, (ctx, sizes, done) -> {
            switch (variant) {
                case PLAIN -> ProductKernels.plainProduct(ctx, sizes, a, b, c, done);
                case TILED -> ProductKernels.tiledProduct(ctx, sizes, a, b, c, done);
                case BLOCKED -> ProductKernels.blockedProduct(ctx, sizes, a, b, c, done);
            }
        }, trials);
    }

    /** XᵀX over batches; {@code tiled} where the device bears it. */
    KernelCheck batches(boolean tiled) {
        int n = 70;
        int most = 4 * 400 * n;
        KernelContext context = new KernelContext();
        FloatArray factors = new FloatArray(4);
        FloatArray x = new FloatArray(most);
        FloatArray h = new FloatArray(n * n);
        List<KernelCheck.Trial> trials = new ArrayList<>();
        int[][] all = values.exact() ? new int[][] {{17, 33, 3}, {5, 385, 2}} : new int[][] {{70, 400, 4}, {16, 384, 2}, {33, 16, 4}, {1, 1, 1}};
        for (int[] s : all) {
            float[] v = values.floats(s[0] * s[1] * s[2]);
            // A Hessian's sums start at nothing. Powers of two where Java rounds twice.
            float[] shrink = new float[s[2]];
            for (int i = 0; i < s[2]; i++) {
                shrink[i] = values.exact() ? 0.5f : (float) ((double) (i + 1) / (i + 2));
            }
            float[] before = values.floats(s[0] * s[0]);
            float[] want = before.clone();
            scalar.syrkBatches(s[1], s[0], v, s[0], shrink, want, s[0]);
            Variant variant = tiled ? Variant.TILED : Variant.PLAIN;
            trials.add(new KernelCheck.Trial(s[2] + " batches of " + s[1] + " x " + s[0], variant.grid(s[0], s[0], device), new int[] {s[0], s[1], s[2]}, () -> {
                Values.put(shrink, factors);
                Values.put(v, x);
                Values.put(before, h);
            }, () -> Values.difference("H", want, h)));
        }
        return new KernelCheck("XᵀX over batches" + (tiled ? ", tiled" : ""), (graph, p) -> {
            var g = graph.transferToDevice(DataTransferMode.EVERY_EXECUTION, factors, x, h);
            g = tiled ? g.task("t", GramKernels::tiledGram, context, p.sizes, factors, x, h, p.done) : g.task("t", GramKernels::plainGram, context, p.sizes, factors, x, h, p.done);
            return g.transferToHost(DataTransferMode.EVERY_EXECUTION, h);
        }, (ctx, sizes, done) -> {
            if (tiled) {
                GramKernels.tiledGram(ctx, sizes, factors, x, h, done);
            } else {
                GramKernels.plainGram(ctx, sizes, factors, x, h, done);
            }
        }, trials);
    }

    private KernelCheck.Trial product(Variant variant, Form form, int m, int n, int k, boolean accumulate, FloatArray a, FloatArray b, FloatArray c) {
        float[] va = values.floats(m * k);
        float[] vb = values.floats(n * k);
        float[] before = values.floats(m * n);
        float[] want = before.clone();
        Panel pa = form == Form.TN ? new Panel(va, 0, m, k, m) : new Panel(va, 0, k, m, k);
        Panel pb = form == Form.NT ? new Panel(vb, 0, k, n, k) : new Panel(vb, 0, n, k, n);
        form.by(scalar, pa, pb, new Panel(want, 0, n, m, n), accumulate);
        int[] sizes = {m, n, k, form == Form.TN ? 1 : k, form == Form.TN ? m : 1, form == Form.NT ? 1 : n, form == Form.NT ? k : 1, accumulate ? 1 : 0, 0};
        String label = form.title() + " of " + m + " x " + n + " x " + k + (accumulate ? ", added" : "");
        return new KernelCheck.Trial(label, variant.grid(m, n, device), sizes, () -> {
            Values.spoil(c);
            Values.put(va, a);
            Values.put(vb, b);
            if (accumulate) {
                Values.put(before, c);
            }
        }, () -> Values.difference("C", want, c));
    }

    private KernelCheck.Trial gram(Variant variant, int n, int rows, FloatArray a, FloatArray b, FloatArray c) {
        float[] x = values.floats(rows * n);
        float[] before = values.floats(n * n);
        float[] want = before.clone();
        scalar.syrk(rows, n, x, 0, n, want, n);
        return new KernelCheck.Trial("XᵀX of " + rows + " x " + n, variant.grid(n, n, device), new int[] {n, n, rows, 1, n, n, 1, 1, 1}, () -> {
            Values.spoil(c);
            Values.put(x, a);
            Values.put(x, b);
            Values.put(before, c);
        }, () -> Values.difference("H", want, c));
    }
}
