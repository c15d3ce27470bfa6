package io.llmc4j.formats.convert;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Role;
import io.llmc4j.formats.hf.CacheScales;
import io.llmc4j.engine.quant.QuantParams;
import io.llmc4j.engine.pipeline.KvCacheScheme;
import io.llmc4j.engine.model.StaticKvCache;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.pipeline.ResumableSink;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.safetensors.ShardedWriter;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.export.ExportFormat;
import io.llmc4j.formats.export.gguf.GgufFormat;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.export.ModuleFormat;
import io.llmc4j.formats.export.ModuleToWrite;
import io.llmc4j.formats.export.ModuleWriter;
import io.llmc4j.formats.export.PlannedLayer;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.ModuleLayout;
import io.llmc4j.formats.hf.StoredModule;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Writes a quantized model in another format. The first pass encodes every module in memory and compares what a reader would get with what the
 * input holds, bit by bit; only where nothing differs, or where rounding again was asked for, the second pass writes.
 */
public final class Converter {

    private final HfModel input;
    private final ExportFormat target;

    public Converter(HfModel input, ExportFormat target) {
        this.input = input;
        this.target = target;
    }

    /**
     * @param requantize whether weights may be rounded again; what that changed is reported
     * @throws BadInput (FORMAT) naming every module that would lose something, and what
     */
    public Conversion convert(Path out, boolean requantize, boolean overwrite) {
        if (target instanceof GgufFormat) {
            return gguf(out, requantize, overwrite);
        }
        if (target.holdsCodes() && nothingQuantized()) {
            throw BadInput.of(BadInput.Common.FORMAT, "%s cannot become %s without loss: its weights are floats, and %s holds codes; llmc4j quantize rounds them (--method rtn: to the "
                    + "nearest code), and fake, trans and gguf:F32, gguf:BF16, gguf:F16 hold floats", input.config().where(), target.name(), target.name());
        }
        DType type = modelType();
        List<Conversion.Change> losses = losses((ModuleFormat) target, Optional.empty(), type);
        if (!losses.isEmpty() && !requantize) {
            throw refusal(losses);
        }
        boolean cannot = losses.stream().anyMatch(c -> Double.isInfinite(c.largest()));
        Optional<QuantScheme> again = cannot ? Optional.of(scheme(losses)) : Optional.empty();
        List<Conversion.Change> changes = again.isPresent() ? losses((ModuleFormat) target, again, type) : losses;
        try (ModelSink sink = target.open(input, out, ShardedWriter.DEFAULT_SHARD_BYTES, overwrite)) {
            StoredLayers layers = new StoredLayers(input, again);
            sink.ends(input.ends());
            for (int i = 0; i < input.spec().blocks(); i++) {
                Block b = input.block(i);
                sink.block(b, layers.of(b));
                cache(b.index()).filter(c -> target.whyNoCache(cacheScheme(c), List.of()).isEmpty()).ifPresent(c -> sink.kvCache(b, cacheScheme(c),
                        new StaticKvCache.Params(new QuantParams(new float[]{c.keys()}), new QuantParams(new float[]{c.values()}))));
                input.checkUnchanged();
                input.release();
            }
            ModelSink.Written written = sink.finish();
            return new Conversion(written, changes, sink.verify());
        }
    }

    private boolean nothingQuantized() {
        return input.shape().blocks().stream().allMatch(b -> b.modules().stream().noneMatch(m -> input.isQuantized(input.module(b.index(), m))));
    }

    /** A block type may round everything: the file is written, read back and compared, and appears only when nothing was lost or that was allowed. */
    private Conversion gguf(Path out, boolean requantize, boolean overwrite) {
        try (ResumableSink sink = (ResumableSink) target.open(input, out, ShardedWriter.DEFAULT_SHARD_BYTES, overwrite)) {
            StoredLayers layers = new StoredLayers(input, Optional.empty());
            sink.ends(input.ends());
            List<Conversion.Change> losses = new ArrayList<>();
            for (int i = 0; i < input.spec().blocks(); i++) {
                Block b = input.block(i);
                sink.block(b, layers.of(b));
                if (cache(i).isPresent()) {
                    losses.add(new Conversion.Change(input.blockPrefix(i), "the scales of its KV cache are not carried", 0, 0));
                }
                input.checkUnchanged();
                input.release();
            }
            ModelSink.Written written = sink.prepare();
            losses.addAll(GgufLosses.of(input, GgufFormat.staged(sink), target.name()));
            if (!losses.isEmpty() && !requantize) {
                throw refusal(losses);
            }
            sink.commit();
            return new Conversion(written, losses, sink.verify());
        }
    }

    private static boolean hasKeys(ModuleLayout m) {
        return m.parts().stream().anyMatch(p -> p.role() == Role.K);
    }

    private Optional<CacheScales> cache(int block) {
        return input.layout(block).modules().stream().filter(Converter::hasKeys).map(m -> input.module(block, m)).filter(input::isQuantized)
                .flatMap(m -> input.weightReader().orElseThrow().cacheScales(m).stream()).findFirst();
    }

    private static KvCacheScheme cacheScheme(CacheScales c) {
        return new KvCacheScheme("Naive", c.scheme(), 0);
    }

    private BadInput refusal(List<Conversion.Change> losses) {
        Map<String, List<Conversion.Change>> byReason = new LinkedHashMap<>();
        losses.forEach(c -> byReason.computeIfAbsent(c.what(), k -> new ArrayList<>()).add(c));
        StringBuilder s = new StringBuilder(input.config().where()).append(" cannot become ").append(target.name()).append(" without loss:");
        byReason.forEach((what, all) -> {
            double worst = all.stream().mapToDouble(Conversion.Change::relative).max().orElse(0);
            s.append("\n  ").append(what).append(" (").append(all.size()).append(all.size() == 1 ? " module: " : " modules: ")
                    .append(String.join(", ", all.stream().map(Conversion.Change::module).toList())).append(')');
            if (worst > 0 && worst < Double.POSITIVE_INFINITY) {
                s.append(String.format(java.util.Locale.ROOT, "; relative error up to %.2g", worst));
            }
        });
        return new BadInput(BadInput.Common.FORMAT, s.append("\n--requantize allows it and reports the error").toString());
    }

    /** What would differ, module by module; an infinite difference where the format cannot hold the codes at all. */
    private List<Conversion.Change> losses(ModuleFormat format, Optional<QuantScheme> again, DType type) {
        List<Conversion.Change> out = new ArrayList<>();
        ModuleWriter writer = format.writer(type);
        StoredLayers layers = new StoredLayers(input, again);
        for (int i = 0; i < input.spec().blocks(); i++) {
            Block b = input.block(i);
            Map<String, LayerResult> results = new LinkedHashMap<>();
            layers.of(b).forEach(r -> results.put(r.layer().name(), r));
            for (ModuleLayout m : input.layout(i).modules()) {
                StoredModule stored = input.module(i, m);
                if (!input.isQuantized(stored)) {
                    continue;
                }
                if (hasKeys(m) && cache(i).filter(c -> !format.holdsCodes() || !format.whyNoCache(cacheScheme(c), List.of()).isEmpty()).isPresent()) {
                    out.add(new Conversion.Change(stored.name(), "the scales of its KV cache are not carried", 0, 0));
                }
                List<LayerResult> parts = m.parts().stream().map(p -> results.get(p.linear())).toList();
                module(format, writer, new ModuleToWrite(stored.name(), m, parts), input.weight(stored), type, out);
            }
            input.release();
        }
        return out;
    }

    private static void module(ModuleFormat format, ModuleWriter writer, ModuleToWrite m, Matrix before, DType type, List<Conversion.Change> out) {
        if (m.activationScheme().isPresent() && ignoresInputs(format, m)) {
            out.add(new Conversion.Change(m.name(), "the rounding of its inputs is not carried", 0, 0));
        }
        try (Arena arena = Arena.ofConfined()) {
            Matrix after;
            String what;
            if (m.layout().stacked() && m.weightScheme().isPresent() && !format.stackedExperts()) {
                throw BadInput.of(BadInput.Common.FORMAT, "the checkpoint stacks all experts in one tensor, for which servers know no codes of this format");
            }
            Optional<ModuleWriter.Coded> coded = m.weightScheme().isPresent() ? writer.coded(m, arena) : Optional.empty();
            if (coded.isPresent()) {
                after = coded.get().values();
                what = "its weights are rounded, or its scales or zero points";
            } else if (format.holdsCodes()) {
                out.add(new Conversion.Change(m.name(), "its codes are on a grid that only its own format holds", Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY));
                return;
            } else {
                after = Tensors.toMatrix(Tensors.fromFloats(type, new Shape(before.rows(), before.cols()), before.data(), arena));
                what = "its weights are rounded to " + type;
            }
            difference(m.name(), what, before, after).ifPresent(out::add);
        } catch (BadInput e) {
            out.add(new Conversion.Change(m.name(), e.getMessage().replaceFirst("^\\S+ cannot be written: ", ""), Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY));
        }
    }

    /** Whether the format has a rule that only the activations offend. */
    private static boolean ignoresInputs(ModuleFormat format, ModuleToWrite m) {
        if (!format.holdsCodes()) {
            return true;
        }
        LayerResult r = m.parts().getFirst();
        PlannedLayer with = new PlannedLayer(m.name(), r.layer().role(), m.layout().out(), m.layout().in(), r.weightScheme(), r.activationScheme(), false, "",
                m.layout().stacked());
        PlannedLayer without = new PlannedLayer(m.name(), Role.UP, m.layout().out(), m.layout().in(), r.weightScheme(), Optional.empty(), false, "",
                m.layout().stacked());
        return !format.problems(without).containsAll(format.problems(with));
    }

    private static Optional<Conversion.Change> difference(String module, String what, Matrix before, Matrix after) {
        double largest = 0;
        double error = 0;
        double norm = 0;
        for (int i = 0; i < before.data().length; i++) {
            double d = (double) after.data()[i] - before.data()[i];
            largest = Math.max(largest, Math.abs(d));
            error += d * d;
            norm += (double) before.data()[i] * before.data()[i];
        }
        return largest == 0 ? Optional.empty() : Optional.of(new Conversion.Change(module, what, largest, norm == 0 ? 0 : Math.sqrt(error / norm)));
    }

    /** A scheme that the format can hold, as near to the stored one as there is. */
    private QuantScheme scheme(List<Conversion.Change> losses) {
        List<PlannedLayer> layers = new ArrayList<>();
        Optional<QuantScheme> stored = Optional.empty();
        for (int i = 0; i < input.spec().blocks(); i++) {
            for (ModuleLayout m : input.layout(i).modules()) {
                StoredModule s = input.module(i, m);
                if (input.isQuantized(s)) {
                    layers.add(new PlannedLayer(s.name(), m.parts().getFirst().role(), m.out(), m.in(), Optional.empty(), Optional.empty(), false, "", m.stacked()));
                    stored = stored.isPresent() ? stored : input.codes(s).map(QuantizedMatrix::scheme);
                }
            }
        }
        for (QuantScheme candidate : candidates(stored)) {
            List<PlannedLayer> with = layers.stream().map(l -> new PlannedLayer(l.name(), l.role(), l.out(), l.in(), Optional.of(candidate), Optional.empty(), false, "",
                    l.stacked())).toList();
            if (Exports.carries(target, with)) {
                return candidate;
            }
        }
        throw refusal(losses);
    }

    private List<QuantScheme> candidates(Optional<QuantScheme> stored) {
        int bits = stored.map(QuantScheme::bits).orElse(4);
        boolean symmetric = target.symmetricByDefault();
        List<Granularity> cuts = new ArrayList<>();
        stored.map(QuantScheme::granularity).filter(g -> g.kind() == Granularity.Kind.PER_GROUP || g.kind() == Granularity.Kind.PER_CHANNEL).ifPresent(cuts::add);
        cuts.addAll(List.of(Granularity.perGroup(128), Granularity.perGroup(64), Granularity.perGroup(32), Granularity.PER_CHANNEL));
        List<QuantScheme> out = new ArrayList<>();
        for (int b : new int[]{bits, 8, 4}) {
            for (Granularity g : cuts) {
                out.add(QuantScheme.integer(b, symmetric, g));
            }
        }
        out.add(QuantScheme.floating("e4m3", NumberFormat.Float.Path.NEAREST_EVEN, Granularity.PER_CHANNEL));
        return out;
    }

    private DType modelType() {
        return switch (input.config().json().path("torch_dtype").asText(input.config().json().path("dtype").asText("bfloat16"))) {
            case "float32" -> DType.F32;
            case "float16" -> DType.F16;
            default -> DType.BF16;
        };
    }
}
