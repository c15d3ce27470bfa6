package io.llmc4j.engine.device;

import java.util.List;
import java.util.Optional;

/**
 * The devices of a provider.
 *
 * @param missing why there is none and what to do, one sentence; empty when there is one
 */
public record DeviceList(List<Device> devices, Optional<String> missing) {

    public DeviceList {
        devices = List.copyOf(devices);
        if (devices.isEmpty() == missing.isEmpty()) {
            throw new IllegalArgumentException("either devices or the reason why there are none");
        }
    }

    public static DeviceList none(String missing) {
        return new DeviceList(List.of(), Optional.of(missing));
    }
}
