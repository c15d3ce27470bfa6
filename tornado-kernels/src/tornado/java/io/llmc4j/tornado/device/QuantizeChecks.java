package io.llmc4j.tornado.device;

import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.kernel.ScalarKernels;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantParams;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.tornado.Grid;
import java.util.ArrayList;
import java.util.List;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/** Group quantization, the clip grid and GPTQ's block against the engine's quantizers. */
final class QuantizeChecks {

    private static final int GROUPS = 131;
    private static final int LONGEST = 128;

    private final ScalarKernels scalar = new ScalarKernels();
    private final Device device;
    private final Values values;

    QuantizeChecks(Device device, Values values) {
        this.device = device;
        this.values = values;
    }

    List<KernelCheck> all() {
        return List.of(groups(), smallFloats(), clipDifferences(), clipErrors(), gptq());
    }

    private Grid line(int items) {
        return Grid.line(items, Grid.group(64, device), 0, device);
    }

    /** Groups of several kinds; one is all zero, one has a tie at every value, one holds a NaN. */
    private float[] weights(int groups, int length) {
        float[] w = values.floats(groups * length);
        for (int i = 0; i < length; i++) {
            w[i] = 0f;
            if (groups > 1) {
                w[length + i] = (i % 32 - 16) * 0.25f;
            }
        }
        if (groups > 2) {
            w[2 * length + length / 2] = Float.NaN;
        }
        return w;
    }

    private KernelCheck groups() {
        KernelContext context = new KernelContext();
        FloatArray x = new FloatArray(GROUPS * LONGEST);
        FloatArray scales = new FloatArray(GROUPS);
        FloatArray zeros = new FloatArray(GROUPS);
        FloatArray out = new FloatArray(GROUPS * LONGEST);
        List<KernelCheck.Trial> trials = new ArrayList<>();
        for (int[] s : new int[][] {{GROUPS, LONGEST, 4}, {GROUPS, 32, 3}, {64, 33, 8}, {1, 1, 2}}) {
            for (boolean symmetric : new boolean[] {true, false}) {
                float[] w = weights(s[0], s[1]);
                QuantScheme scheme = QuantScheme.integer(s[2], symmetric, Granularity.PER_CHANNEL);
                Quantizer q = Quantizer.of(scheme);
                Matrix m = new Matrix(s[0], s[1], w);
                QuantParams p = q.params(m);
                Matrix want = q.fakeQuantize(m, p);
                NumberFormat.Int f = (NumberFormat.Int) scheme.format();
                trials.add(new KernelCheck.Trial(s[0] + " groups of " + s[1] + ", " + s[2] + " bits" + (symmetric ? ", symmetric" : ""), line(s[0]),
                        new int[] {s[0], s[1], symmetric ? 1 : 0, (int) f.qmin(), (int) f.qmax()}, () -> {
                    Values.spoil(out);
                    Values.put(w, x);
                }, () -> Values.difference("scale", p.scales(), scales) + (symmetric ? "" : Values.difference("zero point", p.zeros(), zeros))
                        + Values.difference("value", want.data(), out)));
            }
        }
        return new KernelCheck("group quantization, integers", (g, p) -> g.transferToDevice(DataTransferMode.EVERY_EXECUTION, x)
                .task("t", QuantizeKernels::fakeQuantizeGroups, context, p.sizes, x, scales, zeros, out, p.done)
                .transferToHost(DataTransferMode.EVERY_EXECUTION, scales, zeros, out),
                (ctx, sizes, done) -> QuantizeKernels.fakeQuantizeGroups(ctx, sizes, x, scales, zeros, out, done), trials);
    }

    private KernelCheck smallFloats() {
        KernelContext context = new KernelContext();
        FloatArray grid = new FloatArray(4);
        FloatArray x = new FloatArray(GROUPS * LONGEST);
        FloatArray scales = new FloatArray(GROUPS);
        FloatArray out = new FloatArray(GROUPS * LONGEST);
        List<KernelCheck.Trial> trials = new ArrayList<>();
        for (String label : List.of("e4m3", "e5m2", "e2m1")) {
            // Mantissa bits, smallest normal value, largest value, by the formats' definitions.
            int mantissa = label.charAt(3) - '0';
            float smallest = label.equals("e4m3") ? 0x1p-6f : label.equals("e5m2") ? 0x1p-14f : 1f;
            float largest = label.equals("e4m3") ? 448f : label.equals("e5m2") ? 57344f : 6f;
            for (int length : new int[] {16, 33, LONGEST}) {
                float[] w = weights(GROUPS, length);
                Quantizer q = Quantizer.of(QuantScheme.floating(label, NumberFormat.Float.Path.NEAREST_EVEN, Granularity.PER_CHANNEL));
                Matrix m = new Matrix(GROUPS, length, w);
                QuantParams p = q.params(m);
                Matrix want = q.fakeQuantize(m, p);
                float qmax = ((NumberFormat.Float) q.scheme().format()).qmax();
                trials.add(new KernelCheck.Trial(label + ", groups of " + length, line(GROUPS), new int[] {GROUPS, length}, () -> {
                    Values.put(new float[] {qmax, smallest, largest, 1.5f * Math.scalb(1f, 23 - mantissa)}, grid);
                    Values.spoil(out);
                    Values.put(w, x);
                }, () -> Values.difference("scale", p.scales(), scales) + Values.difference("value", want.data(), out)));
            }
        }
        return new KernelCheck("group quantization, e4m3, e5m2, e2m1", (g, p) -> g.transferToDevice(DataTransferMode.EVERY_EXECUTION, grid, x)
                .task("t", QuantizeKernels::fakeQuantizeSmallFloats, context, p.sizes, grid, x, scales, out, p.done)
                .transferToHost(DataTransferMode.EVERY_EXECUTION, scales, out),
                (ctx, sizes, done) -> QuantizeKernels.fakeQuantizeSmallFloats(ctx, sizes, grid, x, scales, out, done), trials);
    }

    private KernelCheck clipDifferences() {
        int rows = 37;
        int candidates = 10;
        KernelContext context = new KernelContext();
        FloatArray shares = new FloatArray(candidates);
        FloatArray w = new FloatArray(rows * LONGEST);
        FloatArray differences = new FloatArray(candidates * rows * LONGEST);
        List<KernelCheck.Trial> trials = new ArrayList<>();
        for (int cols : new int[] {LONGEST, 33}) {
            for (boolean symmetric : new boolean[] {true, false}) {
                float[] v = values.floats(rows * cols);
                Quantizer q = Quantizer.of(QuantScheme.integer(4, symmetric, Granularity.PER_CHANNEL));
                float[] share = new float[candidates];
                float[] want = new float[candidates * rows * cols];
                for (int c = 0; c < candidates; c++) {
                    share[c] = (float) (1 - c / 20.0);
                    Matrix clamped = new Matrix(rows, cols);
                    for (int r = 0; r < rows; r++) {
                        float hi = symmetric ? scalar.absMax(cols, v, r * cols) : scalar.max(cols, v, r * cols);
                        float lo = scalar.min(cols, v, r * cols);
                        hi = hi * share[c];
                        lo = symmetric ? -hi : lo * share[c];
                        for (int i = 0; i < cols; i++) {
                            clamped.data()[r * cols + i] = Math.min(Math.max(v[r * cols + i], lo), hi);
                        }
                    }
                    float[] rounded = q.fakeQuantize(clamped).data();
                    for (int i = 0; i < rounded.length; i++) {
                        want[c * rows * cols + i] = rounded[i] - v[i];
                    }
                }
                int qmin = symmetric ? -8 : 0;
                trials.add(new KernelCheck.Trial(cols + " columns" + (symmetric ? ", symmetric" : ""), Grid.cover(rows, candidates, Grid.group(64, device), 1, 0, device),
                        new int[] {rows, cols, candidates, symmetric ? 1 : 0, qmin, qmin + 15}, () -> {
                    Values.spoil(differences);
                    Values.put(v, w);
                    Values.put(share, shares);
                }, () -> Values.difference("difference", want, differences)));
            }
        }
        return new KernelCheck("AWQ clip grid, rounding", (g, p) -> g.transferToDevice(DataTransferMode.EVERY_EXECUTION, shares, w)
                .task("t", SearchKernels::clipDifferences, context, p.sizes, shares, w, differences, p.done).transferToHost(DataTransferMode.EVERY_EXECUTION, differences),
                (ctx, sizes, done) -> SearchKernels.clipDifferences(ctx, sizes, shares, w, differences, done), trials);
    }

    private KernelCheck clipErrors() {
        int rows = 19;
        int candidates = 3;
        int tokens = 77;
        KernelContext context = new KernelContext();
        FloatArray differences = new FloatArray(candidates * rows * LONGEST);
        FloatArray h = new FloatArray(LONGEST * LONGEST);
        FloatArray errors = new FloatArray(candidates * rows);
        List<KernelCheck.Trial> trials = new ArrayList<>();
        for (int cols : new int[] {LONGEST, 33, 1}) {
            float[] d = values.floats(candidates * rows * cols);
            float[] gram = values.floats(cols * cols);
            float[] dh = new float[d.length];
            scalar.gemmNN(candidates * rows, cols, cols, d, 0, cols, gram, 0, cols, dh, 0, cols, false);
            float[] want = new float[candidates * rows];
            for (int r = 0; r < want.length; r++) {
                want[r] = scalar.dot(cols, dh, r * cols, d, r * cols) / tokens;
            }
            trials.add(new KernelCheck.Trial(cols + " columns", Grid.cover(rows, candidates, Grid.group(64, device), 1, 0, device), new int[] {rows, cols, candidates, tokens}, () -> {
                Values.spoil(errors);
                Values.put(d, differences);
                Values.put(gram, h);
            }, () -> values.exact() ? Values.nearly("error", want, errors, 4096) : Values.difference("error", want, errors)));
        }
        return new KernelCheck("AWQ clip grid, error", (g, p) -> g.transferToDevice(DataTransferMode.EVERY_EXECUTION, differences, h)
                .task("t", SearchKernels::clipErrors, context, p.sizes, differences, h, errors, p.done).transferToHost(DataTransferMode.EVERY_EXECUTION, errors),
                (ctx, sizes, done) -> SearchKernels.clipErrors(ctx, sizes, differences, h, errors, done), trials);
    }

    private KernelCheck gptq() {
        int most = 70;
        KernelContext context = new KernelContext();
        FloatArray factor = new FloatArray(LONGEST * LONGEST);
        FloatArray scales = new FloatArray(most);
        FloatArray zeros = new FloatArray(most);
        FloatArray panel = new FloatArray(LONGEST * most);
        FloatArray error = new FloatArray(LONGEST * most);
        List<KernelCheck.Trial> trials = new ArrayList<>();
        for (int[] s : new int[][] {{most, LONGEST}, {33, 17}, {1, 1}}) {
            int rows = s[0];
            int width = s[1];
            float[] f = values.floats(width * width);
            for (int c = 0; c < width; c++) {
                f[c * width + c] = values.positive() + 1f;
            }
            float[] scale = new float[rows];
            float[] zero = new float[rows];
            for (int r = 0; r < rows; r++) {
                scale[r] = values.positive() * 0.1f;
                zero[r] = values.random().nextInt(16);
            }
            float[] before = values.floats(width * rows);
            float[] after = before.clone();
            float[] errors = new float[width * rows];
            float[] rounded = new float[rows];
            Quantizer q = Quantizer.of(QuantScheme.integer(4, false, Granularity.PER_CHANNEL));
            for (int c = 0; c < width; c++) {
                scalar.subtractProducts(rows, c, f, c * width, errors, 0, rows, after, c * rows);
                q.fakeQuantizeColumn(rows, after, c * rows, scale, zero, rounded, 0);
                for (int r = 0; r < rows; r++) {
                    errors[c * rows + r] = (after[c * rows + r] - rounded[r]) / f[c * width + c];
                }
            }
            trials.add(new KernelCheck.Trial(rows + " rows, " + width + " columns", line(rows), new int[] {rows, width, 0, 15}, () -> {
                Values.spoil(error);
                Values.put(f, factor);
                Values.put(scale, scales);
                Values.put(zero, zeros);
                Values.put(before, panel);
            }, () -> Values.difference("weight", after, panel) + Values.difference("error", errors, error)));
        }
        return new KernelCheck("GPTQ column block", (g, p) -> g.transferToDevice(DataTransferMode.EVERY_EXECUTION, factor, scales, zeros, panel)
                .task("t", SearchKernels::gptqColumns, context, p.sizes, factor, scales, zeros, panel, error, p.done)
                .transferToHost(DataTransferMode.EVERY_EXECUTION, panel, error),
                (ctx, sizes, done) -> SearchKernels.gptqColumns(ctx, sizes, factor, scales, zeros, panel, error, done), trials);
    }
}
