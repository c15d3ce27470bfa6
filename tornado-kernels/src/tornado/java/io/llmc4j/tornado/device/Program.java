package io.llmc4j.tornado.device;

import io.llmc4j.tornado.DeviceFailure;
import io.llmc4j.tornado.Grid;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import uk.ac.manchester.tornado.api.GridScheduler;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.TornadoExecutionResult;
import uk.ac.manchester.tornado.api.WorkerGrid;
import uk.ac.manchester.tornado.api.WorkerGrid2D;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.enums.ProfilerMode;
import uk.ac.manchester.tornado.api.exceptions.TornadoBailoutRuntimeException;
import uk.ac.manchester.tornado.api.exceptions.TornadoCompilationException;
import uk.ac.manchester.tornado.api.exceptions.TornadoExecutionPlanException;
import uk.ac.manchester.tornado.api.exceptions.TornadoInliningException;
import uk.ac.manchester.tornado.api.exceptions.TornadoInternalError;
import uk.ac.manchester.tornado.api.exceptions.TornadoMemoryException;
import uk.ac.manchester.tornado.api.exceptions.TornadoOutOfMemoryException;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * One kernel with its buffers, compiled at its first run and kept. The sizes of a call are data, so one program does for all calls whose arrays fit its
 * buffers. Each run has a ticket: what comes back without it did not run.
 */
final class Program implements AutoCloseable {

    private static final AtomicInteger COUNT = new AtomicInteger();
    private static final int MOST_SIZES = 16;

    final IntArray sizes = new IntArray(MOST_SIZES);
    final IntArray done = new IntArray(1);
    private final WorkerGrid grid = new WorkerGrid2D(1, 1);
    private final TornadoExecutionPlan plan;
    private int ticket;
    private boolean ran;
    private long kernelNanos;
    private long transferNanos;

    /** Adds to the graph what goes to the device and back beside the sizes, and one task "t" that hands back the ticket. */
    interface Tasks {
        TaskGraph add(TaskGraph graph, Program program);
    }

    Program(TornadoDevice device, Tasks tasks) throws DeviceFailure {
        String name = "llmc4j" + COUNT.incrementAndGet();
        try {
            TaskGraph graph = new TaskGraph(name).transferToDevice(DataTransferMode.EVERY_EXECUTION, sizes, done);
            graph = tasks.add(graph, this).transferToHost(DataTransferMode.EVERY_EXECUTION, done);
            plan = new TornadoExecutionPlan(graph.snapshot());
            plan.withDevice(device).withGridScheduler(new GridScheduler(name + ".t", grid)).withProfiler(ProfilerMode.SILENT);
        } catch (RuntimeException | LinkageError e) {
            // TornadoVM parses a kernel when its graph is made, before anything runs.
            throw failure(e);
        }
    }

    /** @param values of the call, from index 1 on */
    void run(Grid g, int... values) throws DeviceFailure {
        launch(g.globalX(), g.globalY(), g.localX(), g.localY(), values);
    }

    /** Without a check of the grid, which a {@link Grid} is: a test shows what becomes of a wrong one. */
    void launch(int globalX, int globalY, int localX, int localY, int... values) throws DeviceFailure {
        ticket = ticket == Integer.MAX_VALUE ? 1 : ticket + 1;
        sizes.set(0, ticket);
        for (int i = 0; i < values.length; i++) {
            sizes.set(i + 1, values[i]);
        }
        done.set(0, 0);
        grid.setGlobalWork(globalX, globalY, 1);
        grid.setLocalWork(localX, localY, 1);
        try {
            TornadoExecutionResult result = plan.execute();
            kernelNanos = result.getProfilerResult().getDeviceKernelTime();
            transferNanos = result.getProfilerResult().getDataTransfersTime();
        } catch (RuntimeException | Error e) {
            throw failure(e);
        }
        if (done.get(0) != ticket) {
            throw new DeviceFailure(DeviceFailure.Kind.LAUNCH, "the driver refused a grid of " + globalX + " x " + globalY + " in groups of " + localX + " x " + localY + " for sizes " + Arrays.toString(values));
        }
        ran = true;
    }

    private DeviceFailure failure(Throwable e) {
        if (e instanceof OutOfMemoryError || e instanceof VirtualMachineError) {
            throw (Error) e;
        }
        String text = String.valueOf(e.getMessage());
        DeviceFailure.Kind kind = switch (e) {
            case TornadoOutOfMemoryException x -> DeviceFailure.Kind.OUT_OF_MEMORY;
            case TornadoMemoryException x -> DeviceFailure.Kind.OUT_OF_MEMORY;
            case TornadoBailoutRuntimeException x -> DeviceFailure.Kind.BUILD;
            case TornadoCompilationException x -> DeviceFailure.Kind.BUILD;
            case TornadoInliningException x -> DeviceFailure.Kind.BUILD;
            default -> text.contains("OUT_OF_RESOURCES") || text.contains("OUT_OF_MEMORY") || text.contains("MEM_OBJECT_ALLOCATION") ? DeviceFailure.Kind.OUT_OF_MEMORY
                    : text.contains("DEVICE_NOT_AVAILABLE") || text.contains("DEVICE_LOST") || text.contains("ILLEGAL_ADDRESS") ? DeviceFailure.Kind.LOST
                    : ran ? DeviceFailure.Kind.OTHER : DeviceFailure.Kind.BUILD;
        };
        String first = text.lines().findFirst().orElse("");
        return new DeviceFailure(kind, first.isBlank() || first.equals("null") ? e.getClass().getSimpleName() : first, e);
    }

    /** Of the last run. */
    long kernelNanos() {
        return kernelNanos;
    }

    /** Of the last run, both ways. */
    long transferNanos() {
        return transferNanos;
    }

    @Override
    public void close() {
        try {
            plan.freeDeviceMemory();
            plan.close();
        } catch (TornadoExecutionPlanException | RuntimeException | TornadoInternalError e) {
            // A plan that failed may not know its buffers any more. It is not used again, and the process's end frees what it still holds.
        }
    }
}
