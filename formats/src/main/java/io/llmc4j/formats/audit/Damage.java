package io.llmc4j.formats.audit;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Says what of a damaged model was not compared, a line a reason, a block at a time. */
record Damage(Salvage.Salvaged left, List<String> unjudged) {

    List<Finding> notes() {
        List<Finding> out = new ArrayList<>();
        Map<String, List<String>> byReason = new LinkedHashMap<>();
        left.lost().forEach((module, reason) -> byReason.computeIfAbsent(reason.startsWith("missing: ") ? "some of its tensors are missing" : reason, k -> new ArrayList<>()).add(module));
        byReason.forEach((reason, modules) -> out.add(Finding.note(Finding.Rule.SHAPES, "", "not compared, because " + reason + ": " + byBlock(modules))));
        Map<String, List<String>> rest = new LinkedHashMap<>();
        new java.util.TreeMap<>(left.rest()).forEach((tensor, reason) -> rest.computeIfAbsent(reason, k -> new ArrayList<>()).add(tensor));
        rest.forEach((reason, tensors) -> out.add(Finding.note(Finding.Rule.FLOATS, "", "not compared, because " + reason + ": " + byBlock(tensors))));
        if (!unjudged.isEmpty()) {
            out.add(Finding.note(Finding.Rule.TRANSFORM, "", "not judged, because scales seem to have been moved to a neighbour that cannot be read: " + byBlock(unjudged)));
        }
        return out;
    }

    /** "model.layers.0: self_attn.q_proj, mlp.up_proj; model.layers.1 to model.layers.5: …" */
    private static String byBlock(List<String> modules) {
        Map<String, List<String>> blocks = new LinkedHashMap<>();
        for (String m : modules) {
            int at = prefixEnd(m);
            blocks.computeIfAbsent(m.substring(0, at), k -> new ArrayList<>()).add(m.substring(Math.min(m.length(), at + 1)));
        }
        List<String> out = new ArrayList<>();
        String first = "";
        String last = "";
        List<String> same = List.of();
        for (Map.Entry<String, List<String>> b : blocks.entrySet()) {
            if (!b.getValue().equals(same)) {
                line(first, last, same, out);
                first = b.getKey();
                same = b.getValue();
            }
            last = b.getKey();
        }
        line(first, last, same, out);
        return String.join("; ", out);
    }

    private static void line(String first, String last, List<String> modules, List<String> out) {
        if (!modules.isEmpty()) {
            out.add((first.equals(last) ? first : first + " to " + last) + ": " + String.join(", ", modules));
        }
    }

    /** Behind the first number of a name, which is its block's. */
    private static int prefixEnd(String name) {
        java.util.regex.Matcher m = java.util.regex.Pattern.compile("\\.\\d+(?=\\.)").matcher(name);
        return m.find() ? m.end() : 0;
    }
}
