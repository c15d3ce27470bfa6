package io.llmc4j.cli.command;

import io.llmc4j.cli.bench.BenchColumn;
import io.llmc4j.cli.console.Table;
import io.llmc4j.cli.console.Text;
import io.llmc4j.engine.json.Json;
import io.llmc4j.cli.run.DeviceSession;
import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.device.DeviceChoice;
import io.llmc4j.engine.device.DeviceList;
import io.llmc4j.engine.device.DeviceMath;
import io.llmc4j.engine.device.DeviceProvider;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.VectorKernels;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code llmc4j devices}: what this machine can compute with. */
@Command(name = "devices", mixinStandardHelpOptions = true, showDefaultValues = true, sortOptions = false,
        description = "Lists the CPU and every device that --device can name; or says why there is none and what to install.")
final class DevicesCommand implements Callable<Integer> {

    @Spec
    private CommandSpec spec;

    @Option(names = "--json", description = "print JSON to standard output (default: a table)", showDefaultValue = Visibility.NEVER)
    private boolean json;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        DeviceProvider provider = DeviceSession.provider();
        DeviceList list = provider.list(DeviceMath.STRICT);
        BenchColumn cpu = BenchColumn.threads(Parallel.threads(), false);
        int bits = Kernels.get().host() instanceof VectorKernels v ? v.vectorBits() : Float.SIZE;
        if (json) {
            out.print(Json.indented(document(provider, list, cpu, bits)));
            out.flush();
            return 0;
        }
        out.println(String.format(Locale.ROOT, "CPU  %s, %d processors, vectors of %d bits, measured peak %.1f GFLOP/s float32 on %d threads, copy %.1f GB/s",
                System.getProperty("os.arch"), Runtime.getRuntime().availableProcessors(), bits, cpu.flops() / 1e9, cpu.threads(), cpu.copyBytes() / 1e9));
        out.println();
        if (list.missing().isPresent()) {
            out.println(Text.wrap("no " + provider.name() + " device: " + list.missing().get(), 116, ""));
        } else {
            Table table = new Table("--device", "backend", "kind", ">memory", ">shared by a group", ">items of a group", "selected by", "name");
            for (Device d : list.devices()) {
                table.row("gpu:" + d.index(), d.backend(), d.kind(), Text.bytes(d.memoryBytes()), Text.bytes(d.localBytes()), d.maxGroup(), String.join(", ", selectedBy(d, list)),
                        d.name());
            }
            table.print(out);
        }
        out.flush();
        return 0;
    }

    /** "gpu", "auto": what else than its number chooses this device. */
    private static List<String> selectedBy(Device device, DeviceList list) {
        List<String> names = new ArrayList<>();
        for (String name : List.of("gpu", "auto")) {
            Optional<Device> chosen = DeviceChoice.parse(name).in(list);
            if (chosen.isPresent() && chosen.get().equals(device)) {
                names.add(name);
            }
        }
        return names;
    }

    private static Map<String, Object> document(DeviceProvider provider, DeviceList list, BenchColumn cpu, int bits) {
        Map<String, Object> m = new LinkedHashMap<>();
        Map<String, Object> c = new LinkedHashMap<>();
        c.put("architecture", System.getProperty("os.arch"));
        c.put("processors", Runtime.getRuntime().availableProcessors());
        c.put("vectorBits", bits);
        c.put("peakFlops", cpu.flops());
        c.put("copyBytesPerSecond", cpu.copyBytes());
        m.put("cpu", c);
        m.put("provider", provider.name());
        list.missing().ifPresent(why -> m.put("missing", why));
        m.put("devices", list.devices().stream().map(d -> {
            Map<String, Object> o = new LinkedHashMap<>();
            o.put("index", d.index());
            o.put("backend", d.backend());
            o.put("kind", d.kind());
            o.put("name", d.name());
            o.put("memoryBytes", d.memoryBytes());
            o.put("localBytes", d.localBytes());
            o.put("maxGroup", d.maxGroup());
            o.put("selectedBy", selectedBy(d, list));
            return o;
        }).toList());
        return m;
    }
}
