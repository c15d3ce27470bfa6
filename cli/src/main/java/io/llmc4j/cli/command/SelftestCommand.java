package io.llmc4j.cli.command;

import io.llmc4j.cli.console.Table;
import io.llmc4j.engine.json.Json;
import io.llmc4j.cli.run.DeviceSession;
import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.device.DeviceChoice;
import io.llmc4j.engine.device.DeviceMath;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.SelfTest;
import io.llmc4j.engine.kernel.VectorKernels;
import java.io.PrintWriter;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code llmc4j selftest}: whether this machine computes what it should, before a long run. */
@Command(name = "selftest", mixinStandardHelpOptions = true, showDefaultValues = true, sortOptions = false,
        description = "Holds every kernel on this machine to its definition, bit for bit, and to known answers. Exit code 1 when one differs.")
final class SelftestCommand implements Callable<Integer> {

    @Spec
    private CommandSpec spec;

    @Option(names = "--kernels", paramLabel = "NAME", defaultValue = "vector", description = "the kernels to test: vector, or those of a device")
    private String kernels;

    @Option(names = "--device", paramLabel = "D", defaultValue = "cpu", description = "cpu: the kernels above; gpu, gpu:N, auto: every kernel of that device, in strict mathematics")
    private String device;

    @Option(names = "--seconds", paramLabel = "S", defaultValue = "8", description = "about how long; more finds rarer faults")
    private double seconds;

    @Option(names = "--json", description = "print JSON to standard output (default: a table)", showDefaultValue = Visibility.NEVER)
    private boolean json;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        Optional<Device> tested = device();
        List<SelfTest.Result> results = tested.map(d -> DeviceSession.provider().selfTest(d, seconds)).orElseGet(() -> SelfTest.run(kernels, seconds));
        boolean sound = results.stream().allMatch(SelfTest.Result::sound);
        String machine = tested.map(Device::toString).orElseGet(this::machine);
        if (json) {
            out.print(Json.indented(Map.of("machine", machine, "sound", sound,
                    "kernels", results.stream().map(r -> Map.of("name", r.what(), "cases", r.cases(), "fault", r.fault())).toList())));
        } else {
            out.println(machine);
            out.println();
            Table table = new Table("kernel", ">cases", "result");
            results.forEach(r -> table.row(r.what(), r.cases(), r.sound() ? "same" : "DIFFERS: " + r.fault()));
            table.print(out);
            out.println();
            String whose = tested.isPresent() ? "this device" : "this machine";
            out.println(sound ? "all kernels of " + whose + " give the bits of their definitions" : tested.isPresent() ? "what differs on this device goes to the CPU in strict mathematics; do not "
                    + "use --device-math fast here before its driver is mended" : "this machine, its JDK or this program computes wrongly: do not trust a run here; "
                    + "-Dllmc4j.kernels=scalar avoids the vector kernels");
        }
        out.flush();
        return sound ? 0 : 1;
    }

    private Optional<Device> device() {
        DeviceChoice choice = DeviceChoice.parse(device);
        if (choice instanceof DeviceChoice.Cpu) {
            return Optional.empty();
        }
        return DeviceSession.choose(choice, DeviceMath.STRICT, spec.commandLine().getErr()::println);
    }

    private String machine() {
        String width = Kernels.named(kernels) instanceof VectorKernels v ? ", vectors of " + v.vectorBits() + " bits" : "";
        return System.getProperty("os.arch") + ", " + Runtime.getRuntime().availableProcessors() + " processors" + width + ", Java " + Runtime.version() + " of "
                + System.getProperty("java.vendor");
    }
}
