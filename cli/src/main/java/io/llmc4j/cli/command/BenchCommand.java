package io.llmc4j.cli.command;

import io.llmc4j.cli.bench.BenchCase;
import io.llmc4j.cli.bench.BenchCases;
import io.llmc4j.cli.bench.BenchColumn;
import io.llmc4j.cli.bench.BenchSuite;
import io.llmc4j.cli.bench.DeviceBench;
import io.llmc4j.cli.bench.Peer;
import io.llmc4j.cli.console.Progress;
import io.llmc4j.cli.console.Table;
import io.llmc4j.engine.json.Json;
import io.llmc4j.cli.run.DeviceSession;
import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.device.DeviceTiming;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.VectorKernels;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code llmc4j bench}: how fast this machine is, kernel by kernel, as a share of what it can do at most. */
@Command(name = "bench", mixinStandardHelpOptions = true, showDefaultValues = true, sortOptions = false,
        description = "Measures kernels and short whole runs on this machine, with shares of its measured peak.",
        footer = {"", "The share of arithmetic is of independent multiply-adds in registers, that of traffic of a copy between large arrays (read + written).",
            "Other work on the machine makes numbers smaller: each is the best of several rounds."})
final class BenchCommand implements Callable<Integer> {

    @Spec
    private CommandSpec spec;

    @Option(names = "--only", paramLabel = "TEXT", split = ",", description = "only rows whose id contains one of these (default: all; ids are in --json)",
            showDefaultValue = Visibility.NEVER)
    private List<String> only = new ArrayList<>();

    @Option(names = "--full", description = "also n = 2048 and 4096, and 2048 x 4096 x 4096; takes minutes (default: false)", showDefaultValue = Visibility.NEVER)
    private boolean full;

    @Option(names = "--seconds", paramLabel = "S", defaultValue = "0.35", description = "for each number; more is steadier")
    private double seconds;

    @Option(names = "--clock", paramLabel = "C", defaultValue = "wall", description = "wall, or processor: for a machine that others use too, the one-thread column counts "
            + "the processor's time; one of ${COMPLETION-CANDIDATES}")
    private Clock clock;

    @Option(names = "--model", paramLabel = "DIR", description = "model of the whole runs (default: the sample that comes with the program)",
            showDefaultValue = Visibility.NEVER)
    private Optional<Path> model = Optional.empty();

    @Option(names = "--no-runs", description = "kernels only (default: false)", showDefaultValue = Visibility.NEVER)
    private boolean noRuns;

    @Option(names = "--peer", paramLabel = "FILE", description = "times of another program on this machine beside ours: JSON, {\"name\": ..., \"threads\": ..., "
            + "\"seconds\": {id: ...}} (default: none)", showDefaultValue = Visibility.NEVER)
    private Optional<Path> peerFile = Optional.empty();

    @Option(names = "--json", description = "print JSON to standard output (default: a table)", showDefaultValue = Visibility.NEVER)
    private boolean json;

    @Option(names = "--threads", paramLabel = "N", description = "threads of the second column (default: all processors)", showDefaultValue = Visibility.NEVER)
    private Optional<Integer> threads = Optional.empty();

    @Mixin
    private DeviceOptions device;

    @Override
    public Integer call() {
        CommonThreads.set(threads);
        Optional<Device> beside = device.chosen(spec.commandLine().getErr()::println);
        int most = Parallel.threads();
        PrintWriter out = spec.commandLine().getOut();
        Progress progress = Progress.of(spec.commandLine().getErr());
        Optional<Peer> peer = peerFile.map(Peer::read);
        List<BenchCase> cases = BenchCases.list(full, noRuns ? Optional.empty() : BenchCases.model(model), (o, e, args) -> Llmc4j.commandLine(o, e, args).execute(args)).stream()
                .filter(c -> only.isEmpty() || only.stream().anyMatch(c.id()::contains)).toList();
        progress.total(cases.size());
        progress.at(0, "peaks of this machine");
        List<BenchColumn> columns = columns(most, clock == Clock.processor);
        int[] done = {0};
        List<BenchSuite.Row> rows;
        try {
            rows = BenchSuite.run(cases, columns, seconds, row -> progress.at(++done[0], row.work().kernel()));
        } finally {
            progress.clear();
        }
        List<DeviceBench.Row> products = beside.map(d -> DeviceBench.run(DeviceSession.provider(), d, device.math(), full ? List.of(256, 512, 1024, 2048, 4096) : List.of(256, 512, 1024)))
                .orElse(List.of());
        if (json) {
            Map<String, Object> document = document(columns, rows, peer);
            beside.ifPresent(d -> document.put("device", deviceDocument(d, products)));
            out.print(Json.indented(document));
        } else {
            table(columns, rows, peer, out);
            beside.ifPresent(d -> deviceTable(d, products, most, out));
        }
        out.flush();
        return 0;
    }

    /** As they are written on the command line. */
    enum Clock { wall, processor }

    private static List<BenchColumn> columns(int most, boolean processorTime) {
        List<BenchColumn> columns = new ArrayList<>();
        columns.add(BenchColumn.threads(1, processorTime));
        if (most > 1) {
            columns.add(BenchColumn.threads(most, processorTime));
        }
        return columns;
    }

    private static String machine() {
        String width = Kernels.get() instanceof VectorKernels v ? ", vectors of " + v.vectorBits() + " bits" : "";
        return System.getProperty("os.name") + " " + System.getProperty("os.arch") + ", " + Runtime.getRuntime().availableProcessors() + " processors" + width + ", Java "
                + Runtime.version();
    }

    private static void table(List<BenchColumn> columns, List<BenchSuite.Row> rows, Optional<Peer> peer, PrintWriter out) {
        out.println(machine());
        for (BenchColumn c : columns) {
            if (c.flops() > 0) {
                out.println(String.format(Locale.ROOT, "peak of %-9s  %.1f GFLOP/s float32, copy %.1f GB/s read + written", c.name(), c.flops() / 1e9, c.copyBytes() / 1e9));
            }
        }
        out.println();
        List<String> heads = new ArrayList<>(List.of("kernel", "on"));
        for (BenchColumn c : columns) {
            heads.addAll(List.of(">" + c.name(), ">rate", ">of peak"));
        }
        peer.ifPresent(p -> heads.addAll(List.of(">" + p.name(), ">ours is")));
        Table table = new Table(heads.toArray(String[]::new));
        for (BenchSuite.Row row : rows) {
            List<Object> cells = new ArrayList<>(List.of(row.work().kernel(), row.work().shape()));
            for (int i = 0; i < columns.size(); i++) {
                cells.add(time(row.seconds().get(i)));
                cells.add(rate(row, i));
                OptionalDouble share = row.share(i, columns.get(i));
                cells.add(share.isPresent() ? String.format(Locale.ROOT, "%.0f %%", 100 * share.getAsDouble()) : "");
            }
            peer.ifPresent(p -> {
                OptionalDouble other = p.seconds(row.work().id());
                cells.add(time(other));
                OptionalDouble ours = row.seconds().get(p.column(columns));
                cells.add(other.isPresent() && ours.isPresent() ? String.format(Locale.ROOT, "%.2f x as fast", other.getAsDouble() / ours.getAsDouble()) : "");
            });
            table.row(cells.toArray());
        }
        table.print(out);
    }

    /** The same products on the CPU and on the device; the device's time apart from the way there and back. */
    private static void deviceTable(Device d, List<DeviceBench.Row> rows, int threads, PrintWriter out) {
        out.println();
        out.println(d.toString());
        out.println();
        Table table = new Table("float32, square matrices", ">n", ">CPU, " + threads + " threads", ">rate", ">device, all", ">its kernel", ">its transfers", ">rate of the kernel", ">of all");
        for (DeviceBench.Row r : rows) {
            DeviceTiming t = r.device();
            if (Double.isNaN(t.wholeSeconds())) {
                table.row(t.what(), t.size(), time(OptionalDouble.of(r.cpuSeconds())), gigaflops(r.cpuFlops()), "failed");
            } else {
                table.row(t.what(), t.size(), time(OptionalDouble.of(r.cpuSeconds())), gigaflops(r.cpuFlops()), time(OptionalDouble.of(t.wholeSeconds())),
                        time(OptionalDouble.of(t.kernelSeconds())), time(OptionalDouble.of(t.transferSeconds())), gigaflops(t.kernelFlops()), gigaflops(t.wholeFlops()));
            }
        }
        table.print(out);
    }

    private static String gigaflops(double flops) {
        return String.format(Locale.ROOT, "%.1f GFLOP/s", flops / 1e9);
    }

    private static Map<String, Object> deviceDocument(Device d, List<DeviceBench.Row> rows) {
        Map<String, Object> m = new LinkedHashMap<>();
        m.put("name", d.toString());
        m.put("products", rows.stream().map(r -> {
            Map<String, Object> o = new LinkedHashMap<>();
            o.put("kernel", r.device().what());
            o.put("size", r.device().size());
            o.put("cpuSeconds", r.cpuSeconds());
            if (!Double.isNaN(r.device().wholeSeconds())) {
                o.put("deviceSeconds", r.device().wholeSeconds());
                o.put("kernelSeconds", r.device().kernelSeconds());
                o.put("transferSeconds", r.device().transferSeconds());
            }
            return o;
        }).toList());
        return m;
    }

    private static String time(OptionalDouble seconds) {
        if (seconds.isEmpty()) {
            return "";
        }
        double s = seconds.getAsDouble();
        return s >= 1 ? String.format(Locale.ROOT, "%.2f s", s) : s >= 1e-3 ? String.format(Locale.ROOT, "%.2f ms", s * 1e3) : String.format(Locale.ROOT, "%.1f us", s * 1e6);
    }

    private static String rate(BenchSuite.Row row, int column) {
        OptionalDouble r = row.rate(column);
        return r.isEmpty() ? "" : String.format(Locale.ROOT, "%.1f %s", r.getAsDouble() / 1e9, row.work().unit() == BenchCase.Unit.FLOP ? "GFLOP/s" : "GB/s");
    }

    private static Map<String, Object> document(List<BenchColumn> columns, List<BenchSuite.Row> rows, Optional<Peer> peer) {
        Map<String, Object> m = new LinkedHashMap<>();
        m.put("machine", machine());
        m.put("columns", columns.stream().map(c -> {
            Map<String, Object> o = new LinkedHashMap<>();
            o.put("name", c.name());
            o.put("threads", c.threads());
            o.put("peakFlops", c.flops());
            o.put("copyBytesPerSecond", c.copyBytes());
            return o;
        }).toList());
        m.put("rows", rows.stream().map(r -> {
            Map<String, Object> o = new LinkedHashMap<>();
            o.put("id", r.work().id());
            o.put("kernel", r.work().kernel());
            o.put("on", r.work().shape());
            o.put("unit", r.work().unit().name().toLowerCase(Locale.ROOT));
            List<Object> by = new ArrayList<>();
            for (int i = 0; i < columns.size(); i++) {
                Map<String, Object> v = new LinkedHashMap<>();
                v.put("column", columns.get(i).name());
                r.seconds().get(i).ifPresent(s -> v.put("seconds", s));
                r.rate(i).ifPresent(s -> v.put("perSecond", s));
                r.share(i, columns.get(i)).ifPresent(s -> v.put("ofPeak", s));
                by.add(v);
            }
            o.put("measured", by);
            peer.ifPresent(p -> p.seconds(r.work().id()).ifPresent(s -> o.put(p.name(), s)));
            return o;
        }).toList());
        return m;
    }
}
