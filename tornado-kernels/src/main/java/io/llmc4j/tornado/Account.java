package io.llmc4j.tornado;

import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.device.DeviceMath;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;

/** What was computed where. Each thing that goes wrong is told at once, and once. */
final class Account {

    private final Device device;
    private final DeviceMath math;
    private final Consumer<String> notice;
    private final Map<String, Integer> faults = new LinkedHashMap<>();
    private long onDevice;
    private double deviceWork;
    private long onCpu;
    private double cpuWork;

    Account(Device device, DeviceMath math, Consumer<String> notice) {
        this.device = device;
        this.math = math;
        this.notice = notice;
    }

    synchronized void device(double multiplyAdds) {
        onDevice++;
        deviceWork += multiplyAdds;
    }

    synchronized void cpu(double multiplyAdds) {
        onCpu++;
        cpuWork += multiplyAdds;
    }

    synchronized void fault(String sentence) {
        if (faults.merge(sentence, 1, Integer::sum) == 1) {
            notice.accept(sentence);
        }
    }

    synchronized List<String> lines() {
        List<String> out = new ArrayList<>();
        String whose = math == DeviceMath.STRICT ? "strict mathematics, its decisions have the CPU's bits" : "relaxed mathematics, forward passes only; the CPU decided";
        out.add(String.format(Locale.ROOT, "%s, %s: %d products (%s multiply-adds); on the CPU %d products (%s) and everything that is no product", device, whose, onDevice,
                count(deviceWork), onCpu, count(cpuWork)));
        faults.forEach((sentence, times) -> out.add(times == 1 ? sentence : sentence + " (" + times + " times)"));
        return out;
    }

    private static String count(double n) {
        return n >= 1e9 ? String.format(Locale.ROOT, "%.1f G", n / 1e9) : String.format(Locale.ROOT, "%.1f M", n / 1e6);
    }
}
