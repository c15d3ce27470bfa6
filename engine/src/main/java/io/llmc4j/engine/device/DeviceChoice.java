package io.llmc4j.engine.device;

import io.llmc4j.engine.BadInput;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/** What {@code --device} asks for. */
public sealed interface DeviceChoice {

    /** No device. */
    record Cpu() implements DeviceChoice { }

    /** The first GPU, or else the first device of any kind; none is an error. */
    record AnyGpu() implements DeviceChoice { }

    /** Device N; none such is an error. */
    record Numbered(int index) implements DeviceChoice { }

    /** The first GPU when there is one, else the CPU. */
    record Auto() implements DeviceChoice { }

    /** @throws BadInput (USAGE) for anything but cpu, gpu, gpu:N and auto */
    static DeviceChoice parse(String text) {
        if (text.matches("gpu:[0-9]{1,4}")) {
            return new Numbered(Integer.parseInt(text.substring(4)));
        }
        return switch (text) {
            case "cpu" -> new Cpu();
            case "gpu" -> new AnyGpu();
            case "auto" -> new Auto();
            default -> throw BadInput.of(BadInput.Common.USAGE, "--device is '%s'; it can be cpu, gpu, gpu:N (N as llmc4j devices counts them) or auto", text);
        };
    }

    /** @throws BadInput (USAGE) for anything but strict and fast */
    static DeviceMath parseMath(String text) {
        return switch (text) {
            case "strict" -> DeviceMath.STRICT;
            case "fast" -> DeviceMath.FAST;
            default -> throw BadInput.of(BadInput.Common.USAGE, "--device-math is '%s'; it can be strict or fast", text);
        };
    }

    /**
     * The device that this choice means.
     *
     * @return empty: the CPU
     * @throws BadInput (ENVIRONMENT) when a device was asked for and there is none such
     */
    default Optional<Device> in(DeviceList list) {
        List<Device> all = list.devices();
        return switch (this) {
            case Cpu c -> Optional.empty();
            case Auto a -> all.stream().filter(Device::isGpu).findFirst();
            case AnyGpu g -> {
                requireAny(list, "gpu");
                yield all.stream().filter(Device::isGpu).findFirst().or(() -> all.stream().findFirst());
            }
            case Numbered n -> {
                requireAny(list, "gpu:" + n.index());
                yield Optional.of(all.stream().filter(d -> d.index() == n.index()).findFirst().orElseThrow(() -> BadInput.of(BadInput.Common.ENVIRONMENT,
                        "--device gpu:%d, but the devices here are %s; use one of these, or auto", n.index(),
                        all.stream().map(Device::toString).collect(Collectors.joining(", ")))));
            }
        };
    }

    private static void requireAny(DeviceList list, String asked) {
        list.missing().ifPresent(why -> {
            throw BadInput.of(BadInput.Common.ENVIRONMENT, "--device %s, but there is no device here: %s", asked, why);
        });
    }
}
