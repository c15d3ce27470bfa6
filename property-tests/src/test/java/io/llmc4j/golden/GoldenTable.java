package io.llmc4j.golden;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * The table of golden cases: ours, LLMC's, the difference. Tests of golden cases carry this extension; when the last of a session is done, the table is
 * printed and written to {@code target/golden-table.md}.
 */
public final class GoldenTable implements BeforeAllCallback {

    private static final Map<String, Case> CASES = new TreeMap<>();

    /** What one case came to. */
    private static final class Case {
        private final List<String> perplexities = new ArrayList<>();
        private int tensors;
        private double worstShare;
        private boolean pass = true;
    }

    @Override
    public void beforeAll(ExtensionContext context) {
        context.getRoot().getStore(ExtensionContext.Namespace.create(GoldenTable.class)).getOrComputeIfAbsent("table", k -> new AtTheEnd());
    }

    private static final class AtTheEnd implements ExtensionContext.Store.CloseableResource, AutoCloseable {
        @Override
        public void close() {
            print();
        }
    }

    static synchronized void perplexity(String model, String name, String position, double ours, double theirs, double difference, boolean pass) {
        Case c = CASES.computeIfAbsent(model + "/" + name, k -> new Case());
        c.perplexities.add(String.format(Locale.ROOT, "%s | %.4f | %.4f | %.2g", position, ours, theirs, difference));
        c.pass &= pass;
    }

    /** @param share of values that differ */
    static synchronized void tensor(String model, String name, double share, boolean pass) {
        Case c = CASES.computeIfAbsent(model + "/" + name, k -> new Case());
        c.tensors++;
        c.worstShare = Math.max(c.worstShare, share);
        c.pass &= pass;
    }

    /** A case where LLMC has no number; the test that calls holds ours to what it should be. */
    static synchronized void alone(String model, String name, double ours, String why) {
        CASES.computeIfAbsent(model + "/" + name, k -> new Case()).perplexities.add(String.format(Locale.ROOT, "fake_quant | %.4f | %s | ", ours, why));
    }

    /** A case that refuses, as it should. */
    static synchronized void refused(String model, String name, String why) {
        CASES.computeIfAbsent(model + "/" + name, k -> new Case()).perplexities.add(" | " + why + " | LLMC fails | ");
    }

    private static synchronized void print() {
        StringBuilder out = new StringBuilder("| case | position | ours | LLMC's | relative difference | tensors compared | largest share that differs | |\n"
                + "| --- | --- | --- | --- | --- | --- | --- | --- |\n");
        CASES.forEach((name, c) -> {
            List<String> rows = c.perplexities.isEmpty() ? List.of(" | | | ") : c.perplexities;
            for (int i = 0; i < rows.size(); i++) {
                out.append(String.format(Locale.ROOT, "| %s | %s | %s | %s | %s |%n", i == 0 ? name : "", rows.get(i), i == 0 ? c.tensors : "",
                        i == 0 && c.tensors > 0 ? String.format(Locale.ROOT, "%.2g", c.worstShare) : "", i > 0 ? "" : c.pass ? "pass" : "FAIL"));
            }
        });
        System.out.println(out);
        try {
            Path target = Path.of("target");
            if (Files.isDirectory(target)) {
                Files.writeString(target.resolve("golden-table.md"), out);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
