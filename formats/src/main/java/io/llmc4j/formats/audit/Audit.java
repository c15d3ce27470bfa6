package io.llmc4j.formats.audit;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.export.gguf.GgufModel;
import io.llmc4j.formats.hf.HfModel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/**
 * Holds a quantized model against its original. What the user gets wrong (a path, a format that is not read here) is a {@link BadInput}; what is wrong
 * with the model is a {@link Finding}. One block of each model is in memory at a time.
 */
public final class Audit {

    /** Hears how far an audit is. */
    public interface Listener {
        Listener NONE = (what, done, of) -> { };

        /** @param done blocks that are behind, of {@code of} */
        void at(String what, int done, int of);
    }

    private final Path quantizedPath;
    private final HfModel original;
    private final Optional<Evaluation> text;
    private final Listener listener;
    private final List<Finding> findings = new ArrayList<>();
    private final List<LayerAudit> layers = new ArrayList<>();
    private final Map<String, Integer> transforms = new LinkedHashMap<>();
    private Optional<StreamTurn> turn = Optional.empty();
    private Optional<Salvage.Salvaged> damage = Optional.empty();
    private final List<String> unjudged = new ArrayList<>();

    private Audit(Path quantizedPath, HfModel original, Optional<Evaluation> text, Listener listener) {
        this.quantizedPath = quantizedPath;
        this.original = original;
        this.text = text;
        this.listener = listener;
    }

    /** @param text token windows that both models are to read, or empty */
    public static AuditReport run(Path quantized, HfModel original, Optional<Evaluation> text, Listener listener) {
        if (!Files.exists(quantized)) {
            throw BadInput.of(BadInput.Common.USAGE, "%s: there is no such file or directory", quantized);
        }
        return new Audit(quantized, original, text, listener).run();
    }

    private AuditReport run() {
        long start = System.nanoTime();
        boolean directory = GgufModel.find(quantizedPath).isEmpty();
        if (directory) {
            findings.addAll(new StructureRules(quantizedPath, original).check());
        }
        Optional<DataAudit> data = Optional.empty();
        String format = "unreadable";
        try (QuantizedModel model = QuantizedModel.open(quantizedPath)) {
            format = model.format();
            data = contents(model);
        } catch (BadInput e) {
            // The files are there: what their reader refuses is a fault of the model.
            if (findings.stream().noneMatch(f -> f.severity() == Finding.Severity.FAULT)) {
                findings.add(Finding.fault(Finding.Rule.SHAPES, "", e.getMessage()));
            }
            format = directory ? rest(format) : format;
            if (layers.isEmpty()) {
                findings.add(Finding.note(Finding.Rule.SHAPES, "", "the weights were not compared: as it is, the model does not open"));
            }
        }
        List<String> seen = transforms.entrySet().stream().map(t -> t.getKey() + " (" + t.getValue() + (t.getKey().startsWith("the residual") || t.getKey().startsWith("a shift") ? t.getValue() == 1 ? " block)" : " blocks)" : t.getValue() == 1 ? " layer)" : " layers)")).toList();
        return new AuditReport(quantizedPath.toString(), original.directory().map(Path::toString).orElse(original.config().where()), original.spec().family(), format, seen,
                findings, layers, data, Optional.empty(), (System.nanoTime() - start) * 1e-9);
    }

    /** Compares what can be read of a directory that does not open, and lists the rest. */
    private String rest(String format) {
        Optional<Salvage.Salvaged> left = Salvage.of(quantizedPath, original);
        if (left.isEmpty()) {
            return format;
        }
        damage = left;
        try (QuantizedModel model = QuantizedModel.of(left.get().model())) {
            contents(model);
            findings.addAll(new Damage(left.get(), unjudged).notes());
            if (text.isPresent()) {
                findings.add(Finding.note(Finding.Rule.DATA, "", "the text was not read: parts of the model are missing"));
            }
            return model.format();
        }
    }

    private boolean lost(Block block, String prefix, String layer) {
        return damage.isPresent() && damage.get().lost().containsKey(prefix + "." + damage.get().model().layout(block.index()).moduleOf(layer).name());
    }

    private Optional<DataAudit> contents(QuantizedModel model) {
        Optional<ConfigRules> rules = Optional.empty();
        if (model.directory().isPresent()) {
            ConfigRules r = new ConfigRules(model.directory().get(), original, damage.map(d -> d.lost().keySet()).orElse(Set.of()));
            findings.addAll(r.check());
            findings.addAll(FloatRules.everyTensor(model.directory().get()));
            rules = Optional.of(r);
        }
        if (model.source().spec().blocks() != original.spec().blocks()) {
            findings.add(Finding.fault(Finding.Rule.CONFIG, "", "the model has %d blocks, the original %d", model.source().spec().blocks(), original.spec().blocks()));
            return Optional.empty();
        }
        if (model.directory().isPresent() && !model.source().spec().family().equals(original.spec().family())) {
            return Optional.empty();
        }
        turn = StreamTurn.find(original, model.source());
        turn.ifPresent(t -> transforms.put("the residual stream is rotated" + (t.online() ? ", with online Hadamard transforms" : "") + ": the rotation was recovered from embedding "
                + "and head, and the original turned by it is the reference", original.spec().blocks()));
        if (turn.map(StreamTurn::online).orElse(false)) {
            findings.add(Finding.warning(Finding.Rule.TRANSFORM, "", "down projections and attention outputs expect inputs that Hadamard transforms turn while the model runs; config.json "
                    + "cannot say so, and a server that does not do it computes nonsense"));
        }
        findings.addAll(FloatRules.ends(turn.map(StreamTurn::ends).orElse(original.ends()), model.source().ends(), model.directory().isEmpty()));
        for (int i = 0; i < original.spec().blocks(); i++) {
            listener.at("comparing block " + (i + 1) + " of " + original.spec().blocks(), i, original.spec().blocks());
            block(i, model, rules);
            original.release();
            model.source().release();
        }
        if (text.isEmpty() || damage.isPresent()) {
            return Optional.empty();
        }
        SideBySide both = new SideBySide(original, model.source(), text.get(), turn, listener);
        DataAudit d = both.run();
        findings.addAll(SideBySide.findings(d));
        return Optional.of(d);
    }

    private void block(int index, QuantizedModel model, Optional<ConfigRules> rules) {
        Block mine = turned(original.block(index));
        Block its = model.source().block(index);
        String prefix = original.blockPrefix(index);
        Set<String> broken = new HashSet<>();
        Map<String, QuantizedMatrix> codes = model.codes(index, e -> {
            findings.add(Finding.fault(Finding.Rule.SHAPES, "", e.getMessage()));
            broken.add(e.getMessage());
        });
        Set<String> claimed = new HashSet<>(model.quantizedLayers(index));
        ExpectedWeights expected = new ExpectedWeights(mine, its);
        Set<String> compensated = new HashSet<>();
        Map<String, ExpectedWeights.Expected> known = new HashMap<>();
        for (Linear l : mine.linears()) {
            String name = prefix + "." + l.name();
            Optional<Linear> other = QuantizedModel.counterpart(its, l);
            if (other.isEmpty()) {
                findings.add(Finding.fault(Finding.Rule.NAMES, name, "the quantized model has no such layer"));
                continue;
            }
            if (lost(its, model.source().blockPrefix(index), other.get().name())) {
                continue;
            }
            QuantizedMatrix q = codes.get(other.get().name());
            if (q == null && !broken.isEmpty() && claimed.contains(other.get().name())) {
                continue;
            }
            Matrix stored = q != null ? q.dequantize() : other.get().weight();
            if (stored.rows() != l.out() || stored.cols() != l.in()) {
                findings.add(Finding.fault(Finding.Rule.SHAPES, name, "it is [%d, %d], the original's is [%d, %d]", stored.rows(), stored.cols(), l.out(), l.in()));
                continue;
            }
            // Neighbours cannot be composed when some do not decode.
            ExpectedWeights.Expected e = broken.isEmpty() ? expected.of(l, stored) : ExpectedWeights.Expected.original(l.weight());
            for (String partner : e.partners()) {
                boolean norm = ExpectedWeights.find(mine, partner).isPresent();
                transforms.merge(norm ? "scales moved between " + partner + " and what reads it" : "scales moved between neighbours, fitted from " + kindOf(partner), 1,
                        Integer::sum);
                if (norm) {
                    compensated.add(partner);
                }
            }
            known.put(l.name(), e);
            if (damage.isPresent() && e.partners().isEmpty() && expected.movedWith(l, stored, n -> lost(its, model.source().blockPrefix(index), n))) {
                unjudged.add(name);
                continue;
            }
            layer(index, name, l, stored, Optional.ofNullable(q), claimed.contains(other.get().name()), e, rules, mine, other.get().name(), model);
        }
        Shifts shifts = new Shifts(mine, its, known, mine.spec().attention().valueDim());
        shifts.found().forEach(f -> transforms.merge("a shift moved from " + kindOf(f) + " to the biases of what reads it", 1, Integer::sum));
        findings.addAll(FloatRules.block(prefix, mine, its, compensated, shifts));
        mine.linears().forEach(Linear::release);
        its.linears().forEach(Linear::release);
    }

    /** What a layer was compared with. */
    private String reference(ExpectedWeights.Expected e) {
        return turn.isPresent() ? e.how().replaceFirst("original", "original, rotated") : e.how();
    }

    private Block turned(Block b) {
        return turn.isPresent() ? turn.get().turned(b) : b;
    }

    private static String kindOf(String partner) {
        return partner.replaceAll("\\.\\d+\\.", ".*.");
    }

    private void layer(int index, String name, Linear l, Matrix stored, Optional<QuantizedMatrix> q, boolean claimed, ExpectedWeights.Expected expected,
                       Optional<ConfigRules> rules, Block mine, String its, QuantizedModel model) {
        LayerCheck check = new LayerCheck(index, name, l, stored, findings::add);
        Supplier<Optional<String>> elsewhere = () -> new Neighbours(original).whose(index, l, mine, stored);
        if (q.isPresent()) {
            rules.ifPresent(r -> findings.addAll(r.layer(name, q.get())));
            layers.add(check.withCodes(q.get(), bits(q.get()), expected, reference(expected), elsewhere));
        } else {
            Optional<GgufBlocks> blocks = model.blocks(index, its);
            String scheme = blocks.map(GgufBlocks::label).orElse(claimed ? model.format() : "float");
            double bits = blocks.map(GgufBlocks::bits).orElse(claimed ? 0d : 16d);
            layers.add(check.withoutCodes(expected, reference(expected), scheme, bits, claimed && blocks.map(GgufBlocks::quantized).orElse(true), blocks.flatMap(t -> t.plain(expected.weight())),
                    elsewhere));
        }
    }

    /** Average bits of a weight with scales of 16 bits and zero points of the codes' width. */
    private static double bits(QuantizedMatrix q) {
        double n = q.codes().length;
        double scale = q.scheme().granularity().kind() == Granularity.Kind.PER_GROUP && !q.scheme().isInteger() ? 8 : 16;
        return q.scheme().bits() + (q.scales().length * scale + (double) q.zeros().length * q.scheme().bits()) / n;
    }
}
