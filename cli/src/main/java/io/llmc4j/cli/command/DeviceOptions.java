package io.llmc4j.cli.command;

import io.llmc4j.cli.run.DeviceSession;
import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.device.DeviceChoice;
import io.llmc4j.engine.device.DeviceMath;
import java.util.Optional;
import java.util.function.Consumer;
import picocli.CommandLine.Option;

/** {@code --device} and {@code --device-math}, of every command that computes. */
final class DeviceOptions {

    @Option(names = "--device", paramLabel = "D", defaultValue = "cpu", description = "where large products are computed: cpu, gpu (the first), gpu:N (as llmc4j devices counts them), "
            + "auto (a GPU if there is one)")
    private String device;

    @Option(names = "--device-math", paramLabel = "M", defaultValue = "strict", description = "strict: the CPU's bits, or the CPU computes; fast: the device computes forward passes with "
            + "relaxed mathematics, the CPU all that decides")
    private String math;

    DeviceChoice choice() {
        return DeviceChoice.parse(device);
    }

    DeviceMath math() {
        return DeviceChoice.parseMath(math);
    }

    /** The device that is meant, not yet used; empty: the CPU. Throws as {@link #open}. */
    Optional<Device> chosen(Consumer<String> say) {
        DeviceMath m = math();
        return choice() instanceof DeviceChoice.Cpu ? Optional.empty() : DeviceSession.choose(choice(), m, say);
    }

    /** The device is used until the session is closed. Throws BadInput for bad values, and for a device that is not there. */
    DeviceSession open(Consumer<String> say) {
        return DeviceSession.open(choice(), math(), say);
    }
}
