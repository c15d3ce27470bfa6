package io.llmc4j.cli.report;

import io.llmc4j.engine.json.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The account of one run, as report.json has it.
 *
 * @param model   the directory as the user gave it
 * @param method  names joined by " + "
 * @param config  the configuration with all its overrides
 * @param bits    what was chosen under target_bits; empty when nothing was
 * @param losses  of methods that learn: by "block stage", one number an epoch
 * @param carried input tensors that are in the output as they were, with the reason
 * @param dropped input tensors that are not in the output, with the reason
 * @param files   of all output directories, with their path from the report
 * @param devices what a device computed, and what the CPU computed in its place; empty without a device
 * @param peakRssBytes most memory that the process held, heap and mapped
 */
public record Report(String model, String method, Object config, long seed, List<Evaluation> evaluations, Map<String, Object> bits, List<Layer> layers,
                     Map<String, List<Float>> losses, List<String> carried, List<String> dropped, List<WrittenFile> files, List<String> devices, long peakRssBytes, double seconds) {

    /** @param data file and its SHA-256, "eval.txt sha256:…" */
    public record Evaluation(String position, String data, int seqLen, long windows, long tokens, double value) { }

    public record Layer(String name, List<Integer> shape, double bits, double mse, double relativeError, double seconds, List<String> notes) { }

    public record WrittenFile(String name, long bytes, String sha256) { }

    /** In the order of the keys of report.json. */
    public Map<String, Object> asMap() {
        Map<String, Object> m = new LinkedHashMap<>();
        m.put("model", model);
        m.put("method", method);
        m.put("config", config);
        m.put("seed", seed);
        List<Object> es = new ArrayList<>();
        for (Evaluation e : evaluations) {
            Map<String, Object> x = new LinkedHashMap<>();
            x.put("position", e.position());
            x.put("data", e.data());
            x.put("seqLen", e.seqLen());
            x.put("windows", e.windows());
            x.put("tokens", e.tokens());
            x.put("value", e.value());
            es.add(x);
        }
        m.put("evaluations", es);
        if (!bits.isEmpty()) {
            m.put("targetBits", bits);
        }
        List<Object> ls = new ArrayList<>();
        for (Layer l : layers) {
            Map<String, Object> x = new LinkedHashMap<>();
            x.put("name", l.name());
            x.put("shape", l.shape());
            x.put("bits", l.bits());
            x.put("mse", l.mse());
            x.put("relativeError", l.relativeError());
            x.put("seconds", l.seconds());
            x.put("notes", l.notes());
            ls.add(x);
        }
        m.put("layers", ls);
        if (!losses.isEmpty()) {
            m.put("losses", losses);
        }
        if (!carried.isEmpty()) {
            m.put("carried", carried);
        }
        m.put("dropped", dropped);
        List<Object> fs = new ArrayList<>();
        for (WrittenFile f : files) {
            Map<String, Object> x = new LinkedHashMap<>();
            x.put("name", f.name());
            x.put("bytes", f.bytes());
            x.put("sha256", f.sha256());
            fs.add(x);
        }
        m.put("files", fs);
        if (!devices.isEmpty()) {
            m.put("devices", devices);
        }
        m.put("peakRssBytes", peakRssBytes);
        m.put("seconds", seconds);
        return m;
    }

    public String json() {
        return Json.indented(asMap());
    }
}
