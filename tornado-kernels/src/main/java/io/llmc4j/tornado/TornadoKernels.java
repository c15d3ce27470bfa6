package io.llmc4j.tornado;

import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.device.DeviceKernels;
import io.llmc4j.engine.device.DeviceMath;
import io.llmc4j.engine.device.ForwardPass;
import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.kernel.Kernels;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Kernels whose large products go to a device, panel by panel. Whatever goes wrong there, the CPU computes the panel: a panel's result is written as a
 * whole or not at all, so the CPU goes on exactly where the device stopped.
 */
final class TornadoKernels implements DeviceKernels {

    /** After so many failures that are not about memory the device is left alone. */
    private static final int PATIENCE = 3;

    private final Accelerator accelerator;
    private final DeviceMath math;
    private final Kernels cpu;
    private final Worth worth;
    private final Account account;
    private final Trust trust;
    /** By what is computed: whether the device may. */
    private final Map<String, Boolean> trusted = new HashMap<>();
    private BufferBudget budget;
    private int failures;
    private boolean retired;

    TornadoKernels(Accelerator accelerator, DeviceMath math, Kernels cpu, Worth worth, Consumer<String> notice) {
        this(accelerator, math, cpu, worth, BufferBudget.of(accelerator.device()), notice);
    }

    TornadoKernels(Accelerator accelerator, DeviceMath math, Kernels cpu, Worth worth, BufferBudget budget, Consumer<String> notice) {
        this.accelerator = accelerator;
        this.math = math;
        this.cpu = cpu;
        this.worth = worth;
        this.budget = budget;
        this.account = new Account(accelerator.device(), math, notice);
        this.trust = new Trust(cpu, math);
    }

    @Override
    public String name() {
        return "tornado";
    }

    @Override
    public Kernels host() {
        return cpu;
    }

    @Override
    public Device device() {
        return accelerator.device();
    }

    @Override
    public DeviceMath math() {
        return math;
    }

    @Override
    public List<String> account() {
        List<String> lines = new ArrayList<>(account.lines());
        lines.addAll(accelerator.remarks());
        return lines;
    }

    @Override
    public synchronized void close() {
        retired = true;
        accelerator.close();
    }

    @Override
    public void gemmNT(int m, int n, int k, float[] a, int aOff, int lda, float[] b, int bOff, int ldb, float[] c, int cOff, int ldc, boolean accumulate) {
        product(Form.NT, new Panel(a, aOff, lda, m, k), new Panel(b, bOff, ldb, n, k), new Panel(c, cOff, ldc, m, n), accumulate);
    }

    @Override
    public void gemmNN(int m, int n, int k, float[] a, int aOff, int lda, float[] b, int bOff, int ldb, float[] c, int cOff, int ldc, boolean accumulate) {
        product(Form.NN, new Panel(a, aOff, lda, m, k), new Panel(b, bOff, ldb, k, n), new Panel(c, cOff, ldc, m, n), accumulate);
    }

    @Override
    public void gemmTN(int m, int n, int k, float[] a, int aOff, int lda, float[] b, int bOff, int ldb, float[] c, int cOff, int ldc, boolean accumulate) {
        product(Form.TN, new Panel(a, aOff, lda, k, m), new Panel(b, bOff, ldb, k, n), new Panel(c, cOff, ldc, m, n), accumulate);
    }

    private void product(Form form, Panel a, Panel b, Panel c, boolean accumulate) {
        int k = form.k(a);
        double work = (double) c.rows() * c.cols() * k;
        if (!worth.product(c.rows(), c.cols(), k, accumulate) || !allowed() || !onDevice(form, a, b, c, accumulate)) {
            account.cpu(work);
            form.by(cpu, a, b, c, accumulate);
        }
    }

    /** In fast mathematics what decides is the CPU's. */
    private boolean allowed() {
        return math == DeviceMath.STRICT || ForwardPass.active();
    }

    /** False: nothing was written. */
    private synchronized boolean onDevice(Form form, Panel a, Panel b, Panel c, boolean accumulate) {
        if (retired || !trusted(form.title(), device -> trust.product(device, form))) {
            return false;
        }
        int m = c.rows();
        int n = c.cols();
        int k = form.k(a);
        Optional<PanelPlan> plan = PanelPlan.of(m, n, k, budget);
        if (plan.isEmpty()) {
            return false;
        }
        PanelPlan p = plan.get();
        for (int row = 0; row < m; row += p.rows()) {
            int rows = Math.min(p.rows(), m - row);
            for (int col = 0; col < n; col += p.cols()) {
                int cols = Math.min(p.cols(), n - col);
                for (int from = 0; from < k; from += p.depth()) {
                    int depth = Math.min(p.depth(), k - from);
                    panel(form, form.a(a, row, rows, from, depth), form.b(b, col, cols, from, depth), c.part(row, rows, col, cols), accumulate || from > 0);
                }
            }
        }
        return true;
    }

    private void panel(Form form, Panel a, Panel b, Panel c, boolean accumulate) {
        double work = (double) c.rows() * c.cols() * form.k(a);
        if (!retired) {
            try {
                accelerator.product(form, a, b, c, accumulate);
                account.device(work);
                return;
            } catch (DeviceFailure e) {
                failed(form.title(), e);
            }
        }
        account.cpu(work);
        form.by(cpu, a, b, c, accumulate);
    }

    @Override
    public void syrk(int rows, int n, float[] x, int xOff, int ldx, float[] h, int ldh) {
        double work = (double) rows * n * (n + 1) / 2;
        if (worth.gram(rows, n) && allowed() && gramOnDevice(new Panel(x, xOff, ldx, rows, n), new Panel(h, 0, ldh, n, n), work)) {
            return;
        }
        account.cpu(work);
        cpu.syrk(rows, n, x, xOff, ldx, h, ldh);
    }

    @Override
    public void syrkBatches(int rows, int n, float[] x, int ldx, float[] shrink, float[] h, int ldh) {
        int batches = shrink.length;
        Panel all = new Panel(x, 0, ldx, Math.multiplyExact(rows, batches), n);
        Panel sum = new Panel(h, 0, ldh, n, n);
        if (batches > 1 && worth.gram(all.rows(), n) && allowed() && batchesOnDevice(all, shrink, sum)) {
            return;
        }
        // One by one: each may still go there by itself.
        DeviceKernels.super.syrkBatches(rows, n, x, ldx, shrink, h, ldh);
    }

    private synchronized boolean batchesOnDevice(Panel x, float[] shrink, Panel h) {
        String what = "XᵀX over batches";
        if (retired || !budget.bears(x.elements(), 0, h.elements()) || !trusted(what, trust::gramBatches)) {
            return false;
        }
        try {
            accelerator.gramBatches(x, shrink, h);
            account.device((double) x.rows() * x.cols() * (x.cols() + 1) / 2);
            return true;
        } catch (DeviceFailure e) {
            failed(what, e);
            return false;
        }
    }

    private synchronized boolean gramOnDevice(Panel x, Panel h, double work) {
        if (retired || !trusted("XᵀX", trust::gram)) {
            return false;
        }
        int n = x.cols();
        if (budget.bears(x.elements(), 0, h.elements())) {
            try {
                accelerator.gram(x, h);
                account.device(work);
                return true;
            } catch (DeviceFailure e) {
                failed("XᵀX", e);
                return false;
            }
        }
        // Too large as one: the lower triangle by products of columns with columns, then its mirror image, which is the definition itself.
        Optional<PanelPlan> plan = PanelPlan.of(n, n, x.rows(), budget);
        if (plan.isEmpty() || !trusted(Form.TN.title(), device -> trust.product(device, Form.TN))) {
            return false;
        }
        PanelPlan p = plan.get();
        int side = Math.min(p.rows(), p.cols());
        for (int row = 0; row < n; row += side) {
            int rows = Math.min(side, n - row);
            for (int col = 0; col <= row; col += side) {
                int cols = Math.min(side, n - col);
                for (int from = 0; from < x.rows(); from += p.depth()) {
                    int depth = Math.min(p.depth(), x.rows() - from);
                    panel(Form.TN, x.part(from, depth, row, rows), x.part(from, depth, col, cols), h.part(row, rows, col, cols), true);
                }
            }
        }
        mirror(h);
        return true;
    }

    private static void mirror(Panel h) {
        for (int i = 0; i < h.rows(); i++) {
            for (int j = 0; j < i; j++) {
                h.data()[h.off() + j * h.ld() + i] = h.data()[h.off() + i * h.ld() + j];
            }
        }
    }

    /** A trial of a form of product. */
    private interface Trial {
        Optional<String> on(Accelerator device) throws DeviceFailure;
    }

    private boolean trusted(String what, Trial trial) {
        Boolean known = trusted.get(what);
        if (known == null) {
            known = tried(what, trial);
            trusted.put(what, known);
        }
        return known;
    }

    private boolean tried(String what, Trial trial) {
        try {
            Optional<String> why = trial.on(accelerator);
            why.ifPresent(w -> account.fault(device() + ", " + what + ": " + w + "; the CPU computes all of them"));
            return why.isEmpty();
        } catch (DeviceFailure e) {
            failed(what, e);
            return false;
        }
    }

    private void failed(String what, DeviceFailure e) {
        boolean memory = e.kind() == DeviceFailure.Kind.OUT_OF_MEMORY;
        if (memory) {
            budget = budget.halved();
        }
        failures += memory ? 0 : 1;
        retired |= e.kind() == DeviceFailure.Kind.LOST || failures >= PATIENCE;
        if (e.kind() == DeviceFailure.Kind.BUILD) {
            trusted.put(what, false);
        }
        account.fault(device() + ", " + what + ": " + e.kind().words() + " (" + e.getMessage() + "); the CPU computed " + (retired ? "it and everything after it" : "it"));
    }

    // The rest reads and writes each number about once: the CPU is done before the numbers would have reached the device.

    @Override
    public float dot(int n, float[] a, int aOff, float[] b, int bOff) {
        return cpu.dot(n, a, aOff, b, bOff);
    }

    @Override
    public float sum(int n, float[] a, int aOff) {
        return cpu.sum(n, a, aOff);
    }

    @Override
    public float squaredDistance(int n, float[] a, int aOff, float[] b, int bOff) {
        return cpu.squaredDistance(n, a, aOff, b, bOff);
    }

    @Override
    public void axpy(int n, float alpha, float[] x, int xOff, float[] y, int yOff) {
        cpu.axpy(n, alpha, x, xOff, y, yOff);
    }

    @Override
    public void subtractProducts(int n, int count, float[] a, int aOff, float[] x, int xOff, int ldx, float[] y, int yOff) {
        cpu.subtractProducts(n, count, a, aOff, x, xOff, ldx, y, yOff);
    }

    @Override
    public void multiply(int n, float[] a, int aOff, float[] b, int bOff, float[] out, int outOff) {
        cpu.multiply(n, a, aOff, b, bOff, out, outOff);
    }

    @Override
    public void add(int n, float[] a, int aOff, float[] b, int bOff, float[] out, int outOff) {
        cpu.add(n, a, aOff, b, bOff, out, outOff);
    }

    @Override
    public void scale(int n, float alpha, float[] x, int xOff) {
        cpu.scale(n, alpha, x, xOff);
    }

    @Override
    public float min(int n, float[] a, int aOff) {
        return cpu.min(n, a, aOff);
    }

    @Override
    public float max(int n, float[] a, int aOff) {
        return cpu.max(n, a, aOff);
    }

    @Override
    public float absMax(int n, float[] a, int aOff) {
        return cpu.absMax(n, a, aOff);
    }

    @Override
    public void softmax(int n, float[] x, int off) {
        cpu.softmax(n, x, off);
    }

    @Override
    public float logSumExp(int n, float[] x, int off) {
        return cpu.logSumExp(n, x, off);
    }

    @Override
    public void rmsNorm(int n, float[] x, int xOff, float[] weight, float eps, float[] out, int outOff) {
        cpu.rmsNorm(n, x, xOff, weight, eps, out, outOff);
    }

    @Override
    public void layerNorm(int n, float[] x, int xOff, float[] weight, float[] bias, float eps, float[] out, int outOff) {
        cpu.layerNorm(n, x, xOff, weight, bias, eps, out, outOff);
    }

    @Override
    public void activate(Activation f, int n, float[] x, int off) {
        cpu.activate(f, n, x, off);
    }

    @Override
    public void walshHadamard(int n, float[] x, int off) {
        cpu.walshHadamard(n, x, off);
    }

    @Override
    public void fakeQuantize(int n, float[] x, int xOff, float scale, float zero, float qmin, float qmax, float[] out, int outOff) {
        cpu.fakeQuantize(n, x, xOff, scale, zero, qmin, qmax, out, outOff);
    }

    @Override
    public void quantize(int n, float[] x, int xOff, float scale, float zero, float qmin, float qmax, float[] codes, int outOff) {
        cpu.quantize(n, x, xOff, scale, zero, qmin, qmax, codes, outOff);
    }

    @Override
    public void fakeQuantizeFloat(int n, float[] x, int xOff, float scale, float outScale, int mantissa, float smallestNormal, float largest, float[] out,
                                  int outOff) {
        cpu.fakeQuantizeFloat(n, x, xOff, scale, outScale, mantissa, smallestNormal, largest, out, outOff);
    }
}
