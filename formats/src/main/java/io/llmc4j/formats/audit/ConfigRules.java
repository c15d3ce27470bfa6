package io.llmc4j.formats.audit;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.ModuleLayout;
import io.llmc4j.formats.hf.StoredModule;
import io.llmc4j.formats.hf.TensorFate;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/** config.json against the original's, and its quantization_config against the modules that are there. */
final class ConfigRules {

    private static final Set<String> FREE = Set.of("quantization_config", "compression_config", "quant_method", "torch_dtype", "dtype", "transformers_version", "_name_or_path",
            "use_cache", "tie_word_embeddings", "architectures");

    private final HfModel quantized;
    private final HfModel original;
    private final Set<String> lost;
    private final JsonNode section;
    private final String method;
    private final List<Finding> findings = new ArrayList<>();

    /** @param lost modules that cannot be read: no list is held against them */
    ConfigRules(HfModel quantized, HfModel original, Set<String> lost) {
        this.quantized = quantized;
        this.lost = lost;
        this.original = original;
        this.section = FormatName.section(quantized.config().json());
        this.method = section.path("quant_method").asText("");
    }

    List<Finding> check() {
        architecture();
        List<String> coded = new ArrayList<>();
        List<String> floats = new ArrayList<>();
        for (int i = 0; i < quantized.spec().blocks(); i++) {
            BlockLayout b = quantized.layout(i);
            for (ModuleLayout m : b.modules()) {
                StoredModule s = quantized.module(i, m);
                if (lost.contains(s.name())) {
                    continue;
                }
                (quantized.isQuantized(s) ? coded : floats).add(s.name());
            }
        }
        if (section.isObject() && coded.isEmpty() && lost.isEmpty()) {
            findings.add(Finding.fault(Finding.Rule.CONFIG, "", "quantization_config is there, but no linear layer is stored quantized"));
        }
        List<String> all = new ArrayList<>(coded);
        all.addAll(floats);
        all.addAll(lost);
        all.add(quantized.tensorName(quantized.shape().ends().head()).replaceAll("\\.weight$", ""));
        all.add("lm_head");
        all.add(quantized.tensorName(quantized.shape().ends().embedding()).replaceAll("\\.weight$", ""));
        List<String> carried = quantized.account().stream().filter(f -> f.fate() == TensorFate.Fate.CARRIED && f.tensor().endsWith(".weight"))
                .filter(f -> quantized.store().get(f.tensor()).shape().rank() == 2).map(f -> f.tensor().replaceAll("\\.weight$", "")).toList();
        all.addAll(carried);
        switch (method) {
            case "compressed-tensors" -> compressedTensors(coded, floats, all);
            case "awq" -> lists(strings(section.path("modules_to_not_convert")), "modules_to_not_convert", coded, floats, all, true);
            case "gptq" -> gptq(coded, floats, all);
            case "fp8" -> lists(strings(section.has("ignored_layers") ? section.path("ignored_layers") : section.path("modules_to_not_convert")),
                    section.has("ignored_layers") ? "ignored_layers" : "modules_to_not_convert", coded, floats, all, true);
            default -> {
            }
        }
        return findings;
    }

    private void architecture() {
        JsonNode a = original.config().json();
        JsonNode b = quantized.config().json();
        Set<String> keys = new TreeSet<>();
        a.fieldNames().forEachRemaining(keys::add);
        b.fieldNames().forEachRemaining(keys::add);
        List<String> differ = keys.stream().filter(k -> !FREE.contains(k) && says(a.path(k)) && says(b.path(k)) && !a.path(k).equals(b.path(k)))
                .map(k -> k + " " + a.path(k) + " became " + b.path(k)).toList();
        if (!original.spec().equals(quantized.spec())) {
            findings.add(Finding.fault(Finding.Rule.CONFIG, "config.json", "the architecture is not the original's: %s",
                    differ.isEmpty() ? "fields are missing or added" : String.join(", ", differ)));
        }
    }

    private static boolean says(JsonNode n) {
        return !n.isMissingNode() && !n.isNull();
    }

    private static List<String> strings(JsonNode n) {
        List<String> out = new ArrayList<>();
        n.forEach(s -> out.add(s.asText()));
        return out;
    }

    private void compressedTensors(List<String> coded, List<String> floats, List<String> all) {
        List<String> ignore = strings(section.path("ignore"));
        lists(ignore, "ignore", coded, floats, all, false);
        for (Map.Entry<String, JsonNode> g : section.path("config_groups").properties()) {
            List<String> idle = strings(g.getValue().path("targets")).stream().filter(t -> !t.equals("Linear") && all.stream().noneMatch(matcher(t, false))).toList();
            if (!idle.isEmpty()) {
                findings.add(Finding.warning(Finding.Rule.IGNORE, "config_groups." + g.getKey(), "targets that match no module: %s", some(idle)));
            }
        }
    }

    /** Which modules an entry of a list means. Substrings where the loader looks for them. */
    private static Predicate<String> matcher(String entry, boolean substring) {
        if (entry.startsWith("re:")) {
            try {
                Pattern p = Pattern.compile(entry.substring(3));
                return m -> p.matcher(m).lookingAt();
            } catch (PatternSyntaxException e) {
                return m -> false;
            }
        }
        return substring ? m -> m.contains(entry) : m -> m.equals(entry);
    }

    private void lists(List<String> entries, String key, List<String> coded, List<String> floats, List<String> all, boolean substring) {
        List<String> idle = entries.stream().filter(e -> all.stream().noneMatch(matcher(e, substring)) && !e.equals("Linear")).toList();
        if (!idle.isEmpty()) {
            findings.add(Finding.warning(Finding.Rule.IGNORE, key, "entries that match no module: %s", some(idle)));
        }
        List<String> contradicted = coded.stream().filter(m -> entries.stream().anyMatch(e -> matcher(e, substring).test(m))).toList();
        if (!contradicted.isEmpty()) {
            findings.add(Finding.fault(Finding.Rule.IGNORE, key, "%d modules are listed as float and stored quantized: %s", contradicted.size(), some(contradicted)));
        }
        List<String> unlisted = floats.stream().filter(m -> !routerName(m) && entries.stream().noneMatch(e -> matcher(e, substring).test(m))).toList();
        if (!unlisted.isEmpty()) {
            findings.add(Finding.fault(Finding.Rule.IGNORE, key, "%d modules are stored as floats and not listed: %s; a server would look for their codes", unlisted.size(),
                    some(unlisted)));
        }
    }

    /** Servers never quantize routers, listed or not. */
    private boolean routerName(String module) {
        for (int i = 0; i < quantized.spec().blocks(); i++) {
            for (ModuleLayout m : quantized.layout(i).modules()) {
                if (m.router() && quantized.module(i, m).name().equals(module)) {
                    return true;
                }
            }
        }
        return false;
    }

    private void gptq(List<String> coded, List<String> floats, List<String> all) {
        Map<String, Predicate<String>> excluded = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> e : section.path("dynamic").properties()) {
            boolean minus = e.getKey().startsWith("-:");
            String expression = minus || e.getKey().startsWith("+:") ? e.getKey().substring(2) : e.getKey();
            Predicate<String> p = matcher("re:" + expression, false);
            if (all.stream().noneMatch(p)) {
                findings.add(Finding.warning(Finding.Rule.IGNORE, "dynamic", "%s matches no module", e.getKey()));
            }
            if (minus) {
                excluded.put(e.getKey(), p);
            }
        }
        List<String> contradicted = coded.stream().filter(m -> excluded.values().stream().anyMatch(p -> p.test(m))).toList();
        if (!contradicted.isEmpty()) {
            findings.add(Finding.fault(Finding.Rule.IGNORE, "dynamic", "%d modules are excluded and stored quantized: %s", contradicted.size(), some(contradicted)));
        }
        List<String> unlisted = floats.stream().filter(m -> !routerName(m) && excluded.values().stream().noneMatch(p -> p.test(m))).toList();
        if (!unlisted.isEmpty()) {
            findings.add(Finding.warning(Finding.Rule.IGNORE, "dynamic", "%d modules are stored as floats and not excluded: %s", unlisted.size(), some(unlisted)));
        }
    }

    static String some(List<String> names) {
        return String.join(", ", names.subList(0, Math.min(8, names.size()))) + (names.size() > 8 ? ", … (" + names.size() + ")" : "");
    }

    /** Codes of one layer against the configuration's group size, symmetry and zero points. */
    List<Finding> layer(String name, QuantizedMatrix q) {
        List<Finding> out = new ArrayList<>();
        boolean overridden = section.path("dynamic").properties().stream().anyMatch(e -> !e.getKey().startsWith("-:")
                && matcher("re:" + e.getKey().replaceFirst("^\\+:", ""), false).test(name));
        if ((method.equals("gptq") || method.equals("awq")) && !overridden) {
            int says = section.path("group_size").asInt(section.path("q_group_size").asInt(128));
            Granularity g = q.scheme().granularity();
            int has = g.kind() == Granularity.Kind.PER_GROUP ? g.size() : q.cols();
            if ((says <= 0 ? q.cols() : says) != has) {
                out.add(Finding.fault(Finding.Rule.GROUP_SIZE, name, "quantization_config says group_size %d, the scales are of groups of %d", says, has));
            }
        }
        if (method.equals("gptq") && !overridden && q.columnGroup().length != 0 && !section.path("desc_act").asBoolean(false)) {
            out.add(Finding.fault(Finding.Rule.CONFIG, name, "its g_idx is not in order, and quantization_config says desc_act false: some servers then leave g_idx out"));
        }
        if (method.equals("gptq") && section.path("sym").asBoolean(false) && q.zeros().length != 0 && q.scheme().format() instanceof NumberFormat.Int f) {
            out.add(Finding.fault(Finding.Rule.ZERO_POINT, name, "quantization_config says sym, so that every zero point is %d; %s", 1 << (f.bits() - 1), zeros(q)));
        }
        return out;
    }

    private static String zeros(QuantizedMatrix q) {
        Set<Float> distinct = new TreeSet<>();
        for (float z : q.zeros()) {
            distinct.add(z);
        }
        if (distinct.size() == 1) {
            float z = distinct.iterator().next();
            boolean moved = Math.abs(z - (1 << (q.scheme().bits() - 1))) == 1;
            return "all are " + (int) z + (moved ? ": one version of the format read as the other (checkpoint_format gptq stores zero - 1, gptq_v2 the zero)" : "");
        }
        return "there are " + distinct.size() + " different ones";
    }
}
