package io.llmc4j.formats.audit;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.Checkpoint;
import io.llmc4j.engine.safetensors.SafetensorsError;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.ModelShape;
import io.llmc4j.formats.hf.ModuleLayout;
import io.llmc4j.formats.hf.WeightFormats;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Rules on a directory as a whole, which hold before a single weight is decoded: shards, names, the head, the other files. */
final class StructureRules {

    private static final List<String> TOKENIZER = List.of("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt");

    private final Path directory;
    private final HfModel original;
    private final List<Finding> findings = new ArrayList<>();

    StructureRules(Path directory, HfModel original) {
        this.directory = directory;
        this.original = original;
    }

    /**
     * All that is wrong. Throws BadInput for a path that is no model directory, an architecture or a format that is not known here: then there is nothing
     * to audit.
     */
    List<Finding> check() {
        HfConfig config = HfConfig.read(directory.resolve("config.json"));
        ModelShape shape = ModelShape.of(HfConfig.read(directory.resolve("config.json")));
        WeightFormats.of(config);
        try (Checkpoint c = Checkpoint.open(directory)) {
            c.notes().forEach(n -> findings.add(Finding.warning(Finding.Rule.SHARDS, "", n)));
            missingModules(c, shape);
            tiedHead(c, shape, config);
        } catch (BadInput e) {
            if (e.kind() == SafetensorsError.UNREADABLE || e.kind() == SafetensorsError.NO_CHECKPOINT) {
                throw e;
            }
            findings.add(Finding.fault(Finding.Rule.SHARDS, "", e.getMessage()));
        }
        sideFiles();
        return findings;
    }

    private static String stripped(String name, ModelShape shape) {
        return shape.roots().stream().filter(r -> !r.isEmpty() && name.startsWith(r)).map(r -> name.substring(r.length())).findFirst().orElse(name);
    }

    /** Modules of which no tensor is there, an expert at a time. */
    private void missingModules(Checkpoint c, ModelShape shape) {
        List<String> names = c.names().stream().map(n -> stripped(n, shape)).sorted().toList();
        java.util.TreeSet<String> sorted = new java.util.TreeSet<>(names);
        for (BlockLayout b : shape.blocks()) {
            String prefix = stripped(b.prefix() + ".", shape);
            if (!present(sorted, prefix)) {
                findings.add(Finding.fault(Finding.Rule.NAMES, b.prefix(), "block %d is missing altogether", b.index()));
                continue;
            }
            Map<Integer, List<String>> absent = new LinkedHashMap<>();
            for (ModuleLayout m : b.modules()) {
                if (!m.stacked() && !present(sorted, prefix + m.name() + ".") && !sorted.contains(prefix + m.weight())) {
                    absent.computeIfAbsent(m.parts().getFirst().expert(), k -> new ArrayList<>()).add(m.name());
                }
            }
            absent.forEach((expert, modules) -> findings.add(Finding.fault(Finding.Rule.NAMES, b.prefix(), expert < 0 ? "%s: no tensor of it is there"
                    : "expert " + expert + " is dropped: no tensor of %s is there", String.join(", ", modules))));
        }
    }

    private static boolean present(java.util.TreeSet<String> names, String prefix) {
        String next = names.ceiling(prefix);
        return next != null && next.startsWith(prefix);
    }

    private void tiedHead(Checkpoint c, ModelShape shape, HfConfig config) {
        Optional<String> head = c.names().stream().filter(n -> n.equals(shape.ends().head()) || n.endsWith("." + shape.ends().head())).findFirst();
        Optional<String> embedding = c.names().stream().filter(n -> stripped(n, shape).equals(stripped(shape.ends().embedding(), shape))).findFirst();
        if (!shape.ends().tied() || head.isEmpty() || embedding.isEmpty()) {
            return;
        }
        Tensor h = c.tensor(head.get());
        Tensor e = c.tensor(embedding.get());
        if (h.dtype() != e.dtype() || !h.shape().equals(e.shape()) || h.bytes().mismatch(e.bytes()) != -1) {
            findings.add(Finding.fault(Finding.Rule.TIED_HEAD, head.get(), "it differs from %s, but %s says that they are tied (tie_word_embeddings): a server uses one, another "
                    + "the other", embedding.get(), config.where()));
        }
    }

    private void sideFiles() {
        if (original.directory().isEmpty()) {
            return;
        }
        for (Path file : original.sideFiles()) {
            Path mine = directory.resolve(file);
            Path its = original.directory().get().resolve(file);
            boolean tokenizer = TOKENIZER.contains(file.toString());
            try {
                if (tokenizer && !Files.exists(mine)) {
                    findings.add(Finding.warning(Finding.Rule.SIDE_FILES, file.toString(), "the original has it, this directory does not"));
                } else if (tokenizer && Files.mismatch(mine, its) != -1) {
                    findings.add(Finding.warning(Finding.Rule.SIDE_FILES, file.toString(), "it is not the original's, byte by byte"));
                }
            } catch (IOException e) {
                findings.add(Finding.warning(Finding.Rule.SIDE_FILES, file.toString(), "cannot be compared: " + e.getMessage()));
            }
        }
    }
}
