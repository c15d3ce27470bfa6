package io.llmc4j.tornado.device;

import io.llmc4j.engine.device.Device;
import io.llmc4j.tornado.DeviceFailure;
import io.llmc4j.tornado.Form;
import io.llmc4j.tornado.Panel;
import java.util.LinkedHashMap;
import java.util.Map;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/** Products and XᵀX on a device. Programs are kept by the sizes of their buffers, the least used given up when they hold too much. */
final class Products implements AutoCloseable {

    /** Programs that are kept: a model has few sizes of layers. */
    private static final int MOST_PROGRAMS = 24;

    /** Batches of a program's sum at most. */
    private static final int MOST_BATCHES = 1 << 12;

    /** @param batches a sum of XᵀX over batches */
    private record Key(Variant variant, int a, int b, int c, boolean accumulate, boolean batches) { }

    private record Entry(Program program, FloatArray a, FloatArray b, FloatArray c) implements AutoCloseable {
        long bytes() {
            return 4L * (a.getSize() + (b == a ? 0L : b.getSize()) + c.getSize());
        }

        @Override
        public void close() {
            program.close();
        }
    }

    private final TornadoDevice device;
    private final Device description;
    private final long mostBytes;
    private final Map<Key, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);
    private Program last;

    Products(TornadoDevice device, Device description, long mostBytes) {
        this.device = device;
        this.description = description;
        this.mostBytes = mostBytes;
    }

    void product(Variant variant, Form form, Panel a, Panel b, Panel c, boolean accumulate) throws DeviceFailure {
        int m = c.rows();
        int n = c.cols();
        int k = form.k(a);
        Entry e = entry(new Key(variant, Buffers.capacity(a.elements()), Buffers.capacity(b.elements()), Buffers.capacity(c.elements()), accumulate, false));
        Buffers.put(a, e.a);
        Buffers.put(b, e.b);
        if (accumulate) {
            Buffers.put(c, e.c);
        }
        int aRow = form == Form.TN ? 1 : k;
        int aK = form == Form.TN ? m : 1;
        int bK = form == Form.NT ? 1 : n;
        int bCol = form == Form.NT ? k : 1;
        run(e, variant, m, n, new int[] {m, n, k, aRow, aK, bK, bCol, accumulate ? 1 : 0, 0});
        Buffers.get(e.c, c);
    }

    /** H += XᵀX. */
    void gram(Variant variant, Panel x, Panel h) throws DeviceFailure {
        int n = x.cols();
        Entry e = entry(new Key(variant, Buffers.capacity(x.elements()), 0, Buffers.capacity(h.elements()), true, false));
        Buffers.put(x, e.a);
        Buffers.put(h, e.c);
        run(e, variant, n, n, new int[] {n, n, x.rows(), 1, n, n, 1, 1, 1});
        Buffers.get(e.c, h);
    }

    /** A sum of XᵀX over batches. */
    void gramBatches(Variant variant, Panel x, float[] shrink, Panel h) throws DeviceFailure {
        if (shrink.length > MOST_BATCHES) {
            throw new DeviceFailure(DeviceFailure.Kind.OTHER, shrink.length + " batches at once");
        }
        int n = x.cols();
        Variant by = variant == Variant.PLAIN ? Variant.PLAIN : Variant.TILED;
        Entry e = entry(new Key(by, Buffers.capacity(x.elements()), MOST_BATCHES, Buffers.capacity(h.elements()), true, true));
        Buffers.put(x, e.a);
        Buffers.put(new Panel(shrink, 0, shrink.length, 1, shrink.length), e.b);
        Buffers.put(h, e.c);
        run(e, by, n, n, new int[] {n, x.rows() / shrink.length, shrink.length});
        Buffers.get(e.c, h);
    }

    private void run(Entry e, Variant variant, int m, int n, int[] values) throws DeviceFailure {
        last = e.program;
        try {
            e.program.run(variant.grid(m, n, description), values);
        } catch (IllegalArgumentException wrong) {
            throw new DeviceFailure(DeviceFailure.Kind.LAUNCH, wrong.getMessage(), wrong);
        } catch (DeviceFailure f) {
            // A plan that failed once is not run again.
            drop(e);
            throw f;
        }
    }

    private void drop(Entry e) {
        entries.values().remove(e);
        e.close();
    }

    private Entry entry(Key key) throws DeviceFailure {
        Entry found = entries.get(key);
        if (found != null) {
            return found;
        }
        long wanted = 4L * ((long) key.a + key.b + key.c);
        while (!entries.isEmpty() && (entries.size() >= MOST_PROGRAMS || held() + wanted > mostBytes)) {
            drop(entries.values().iterator().next());
        }
        Entry made;
        try {
            FloatArray a = new FloatArray(key.a);
            FloatArray b = key.b == 0 ? a : new FloatArray(key.b);
            FloatArray c = new FloatArray(key.c);
            made = new Entry(program(key, a, b, c), a, b, c);
        } catch (OutOfMemoryError e) {
            throw new DeviceFailure(DeviceFailure.Kind.OUT_OF_MEMORY, "no memory for buffers of " + wanted + " bytes beside the heap", e);
        }
        entries.put(key, made);
        return made;
    }

    private long held() {
        return entries.values().stream().mapToLong(Entry::bytes).sum();
    }

    private Program program(Key key, FloatArray a, FloatArray b, FloatArray c) throws DeviceFailure {
        KernelContext context = new KernelContext();
        return new Program(device, (graph, p) -> {
            TaskGraph g = a == b ? graph.transferToDevice(DataTransferMode.EVERY_EXECUTION, a) : graph.transferToDevice(DataTransferMode.EVERY_EXECUTION, a, b);
            if (key.accumulate) {
                g = g.transferToDevice(DataTransferMode.EVERY_EXECUTION, c);
            }
            if (key.batches) {
                g = key.variant == Variant.PLAIN ? g.task("t", GramKernels::plainGram, context, p.sizes, b, a, c, p.done)
                        : g.task("t", GramKernels::tiledGram, context, p.sizes, b, a, c, p.done);
                return g.transferToHost(DataTransferMode.EVERY_EXECUTION, c);
            }
            g = switch (key.variant) {
                case PLAIN -> g.task("t", ProductKernels::plainProduct, context, p.sizes, a, b, c, p.done);
                case TILED -> g.task("t", ProductKernels::tiledProduct, context, p.sizes, a, b, c, p.done);
                case BLOCKED -> g.task("t", ProductKernels::blockedProduct, context, p.sizes, a, b, c, p.done);
            };
            return g.transferToHost(DataTransferMode.EVERY_EXECUTION, c);
        });
    }

    /** Programs that are compiled; tests count them. */
    int programs() {
        return entries.size();
    }

    /** Of the last call: kernel, then transfers. */
    long[] lastNanos() {
        return new long[] {last.kernelNanos(), last.transferNanos()};
    }

    @Override
    public void close() {
        entries.values().forEach(Entry::close);
        entries.clear();
    }
}
