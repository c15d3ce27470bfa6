package io.llmc4j.tornado.device;

import io.llmc4j.tornado.DeviceFailure;
import io.llmc4j.tornado.Form;
import io.llmc4j.tornado.Panel;
import java.util.LinkedHashMap;
import java.util.Map;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.exceptions.TornadoExecutionPlanException;
import uk.ac.manchester.tornado.api.exceptions.TornadoInternalError;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.cublas.CuBlas;

/**
 * cublasSgemm. The library counts columns first, so what it computes is Cᵀ = Bᵀ Aᵀ. Sizes are part of a graph here, so graphs are kept by shape.
 *
 * <p>Compiled against the SDK; no machine with CUDA has run it yet. What it gives is tried with known numbers before it is used, as everything on a device.
 */
final class CublasProducts implements LibraryProducts {

    private static final int KEEP = 0;
    private static final int TRANSPOSE = 1;
    private static final int MOST_GRAPHS = 32;

    private record Key(Form form, int m, int n, int k) { }

    private record Entry(TornadoExecutionPlan plan, FloatArray a, FloatArray b, FloatArray c) {
        void close() {
            try {
                plan.freeDeviceMemory();
                plan.close();
            } catch (TornadoExecutionPlanException | RuntimeException | TornadoInternalError e) {
                // Of no more use; the process's end frees what it still holds.
            }
        }
    }

    private final TornadoDevice device;
    private final Map<Key, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);

    CublasProducts(TornadoDevice device) {
        this.device = device;
    }

    @Override
    public String name() {
        return "cuBLAS";
    }

    @Override
    public void product(Form form, Panel a, Panel b, Panel c) throws DeviceFailure {
        Key key = new Key(form, c.rows(), c.cols(), form.k(a));
        Entry e = entries.get(key);
        try {
            if (e == null) {
                e = entry(key);
            }
            Buffers.put(a, e.a);
            Buffers.put(b, e.b);
            // Sent along, so that a call that did not happen brings this back.
            e.c.init(Float.NaN);
            e.plan.execute();
        } catch (RuntimeException | LinkageError | TornadoInternalError x) {
            entries.remove(key);
            throw new DeviceFailure(DeviceFailure.Kind.OTHER, "cuBLAS: " + x, x);
        }
        int last = c.rows() * c.cols() - 1;
        if (Float.isNaN(e.c.get(0)) && Float.isNaN(e.c.get(last))) {
            throw new DeviceFailure(DeviceFailure.Kind.LAUNCH, "cuBLAS gave no numbers");
        }
        Buffers.get(e.c, c);
    }

    private Entry entry(Key key) {
        if (entries.size() >= MOST_GRAPHS) {
            Entry oldest = entries.remove(entries.keySet().iterator().next());
            oldest.close();
        }
        int m = key.m;
        int n = key.n;
        int k = key.k;
        FloatArray a = new FloatArray(m * k);
        FloatArray b = new FloatArray(n * k);
        FloatArray c = new FloatArray(m * n);
        boolean nt = key.form == Form.NT;
        boolean tn = key.form == Form.TN;
        TaskGraph graph = new TaskGraph("llmc4jcublas" + System.identityHashCode(a)).transferToDevice(DataTransferMode.EVERY_EXECUTION, a, b, c)
                .libraryTask("sgemm", CuBlas::cublasSgemm, nt ? TRANSPOSE : KEEP, tn ? TRANSPOSE : KEEP, n, m, k, 1f, b, nt ? k : n, a, tn ? m : k, 0f, c, n)
                .transferToHost(DataTransferMode.EVERY_EXECUTION, c);
        TornadoExecutionPlan plan = new TornadoExecutionPlan(graph.snapshot());
        plan.withDevice(device);
        Entry e = new Entry(plan, a, b, c);
        entries.put(key, e);
        return e;
    }

    @Override
    public void close() {
        entries.values().forEach(Entry::close);
        entries.clear();
    }
}
