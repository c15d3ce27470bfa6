package io.llmc4j.formats.export;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.StaticKvCache;
import io.llmc4j.engine.pipeline.KvCacheScheme;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.ResumableSink;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.safetensors.AtomicFile;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.EndsLayout;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.ModuleLayout;
import io.llmc4j.formats.hf.NormLayout;
import io.llmc4j.formats.hf.TensorFate;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Writes a Hugging Face directory in one format: tensors block by block, then what the text model does not use as it was, the side files, and
 * config.json. All of it lies in a hidden directory beside the target until {@link #finish()} renames it.
 *
 * <p>A float tensor whose values did not change keeps its bytes; one that changed keeps its type. A block that a method left out renumbers the
 * later ones.
 */
public final class ModelDirectorySink implements ResumableSink {

    /** What older loaders read instead of quantization_config: it would speak of the source's quantization. */
    private static final Set<String> STALE = Set.of("quantize_config.json", "quant_config.json");

    private final HfModel source;
    private ModuleWriter writer;
    private final OutputDirectory directory;
    private final ShardStage shards;
    private final ReadBack readBack;
    private final Set<String> replaced = new HashSet<>();
    private final List<String> dropped = new ArrayList<>();
    private final List<Integer> kept = new ArrayList<>();
    private boolean untied;
    private boolean begun;

    /**
     * @param maxShardBytes {@link io.llmc4j.engine.safetensors.ShardedWriter#DEFAULT_SHARD_BYTES} by custom
     * @param overwrite     whether a directory that is in the way is replaced at the end
     */
    public ModelDirectorySink(HfModel source, ModuleFormat format, Path target, long maxShardBytes, boolean overwrite) {
        this.source = source;
        this.writer = format.writer(modelType());
        this.directory = OutputDirectory.begin(target, source.directory(), overwrite);
        this.shards = new ShardStage(directory.staging(), maxShardBytes, format.metadata(), (format.holdsCodes() ? 3 : 1) * source.store().names().size());
        this.readBack = new ReadBack();
    }

    @Override
    public void ends(ModelEnds ends) {
        directory.create();
        begun = true;
        EndsLayout e = source.shape().ends();
        floatTensor(e.embedding(), ends.embedding());
        ends.positions().ifPresent(t -> floatTensor(e.positions(), t));
        e.embeddingNorm().ifPresent(n -> ends.embeddingNorm().ifPresent(norm -> norm(n, "", "", norm)));
        ends.projectIn().ifPresent(m -> floats(e.projectIn(), m));
        e.finalNorm().ifPresent(n -> ends.finalNorm().ifPresent(norm -> norm(n, "", "", norm)));
        ends.projectOut().ifPresent(m -> floats(e.projectOut(), m));
        untied = e.tied() && !ends.tied();
        ends.head().ifPresent(t -> floatTensor(e.head(), t));
        if (ends.headBias().length > 0) {
            if (e.headBias().isEmpty()) {
                throw BadInput.of(BadInput.Common.FORMAT, "the method gave the head a bias, and %s has no place for one", source.spec().family());
            }
            vector(source.tensorName(e.headBias()), source.tensorName(e.headBias()), ends.headBias());
        }
    }

    @Override
    public void block(Block block, List<LayerResult> layers) {
        BlockLayout layout = source.layout(block.index());
        String from = source.blockPrefix(block.index());
        String to = renumbered(from, block.index(), kept.size());
        kept.add(block.index());
        Map<String, Integer> places = new HashMap<>();
        List<Linear> linears = block.linears();
        for (int i = 0; i < linears.size(); i++) {
            places.put(linears.get(i).name(), i);
        }
        Map<String, Stack> stacks = new LinkedHashMap<>();
        for (ModuleLayout m : layout.modules()) {
            List<LayerResult> parts = new ArrayList<>();
            for (ModuleLayout.Part p : m.parts()) {
                LayerResult r = layers.get(places.get(p.linear()));
                if (!r.layer().name().equals(p.linear())) {
                    throw new IllegalStateException(from + ": no result for layer " + p.linear());
                }
                parts.add(r);
            }
            module(new ModuleToWrite(to + "." + m.name(), m, parts), from, to, stacks);
        }
        stacks.values().forEach(Stack::write);
        new TreeMap<>(layout.norms()).forEach((slot, n) -> block.norm(slot).ifPresent(norm -> norm(n, from + ".", to + ".", norm)));
        new TreeMap<>(layout.vectors()).forEach((key, v) -> vector(from + "." + v.tensor(), to + "." + v.tensor(), block.vectors().get(key)));
    }

    @Override
    public void kvCache(Block block, KvCacheScheme scheme, StaticKvCache.Params params) {
        try (Arena arena = Arena.ofConfined()) {
            Map<String, Tensor> tensors = writer.cache(scheme, params, arena);
            if (tensors.isEmpty()) {
                return;
            }
            String key = source.layout(block.index()).modules().stream().filter(m -> m.parts().stream().anyMatch(p -> p.role() == Role.K)).findFirst()
                    .map(ModuleLayout::name).orElseThrow(() -> BadInput.of(BadInput.Common.NOT_SUPPORTED,
                            "%s: scales of a cache belong beside a key projection, and its attention has none", source.blockPrefix(block.index())));
            String attention = renumbered(source.blockPrefix(block.index()), block.index(), kept.size() - 1) + "." + key.substring(0, key.lastIndexOf('.') + 1);
            tensors.forEach((suffix, t) -> {
                replaced.add(source.blockPrefix(block.index()) + "." + key.substring(0, key.lastIndexOf('.') + 1) + suffix);
                shards.add(attention + suffix, t);
            });
        }
    }

    /** A block's prefix after those before it were left out. */
    private static String renumbered(String prefix, int index, int number) {
        if (index == number) {
            return prefix;
        }
        int dot = prefix.lastIndexOf('.');
        return prefix.substring(0, dot + 1) + number;
    }

    private void module(ModuleToWrite m, String from, String to, Map<String, Stack> stacks) {
        ModuleLayout layout = m.layout();
        String weight = from + "." + layout.weight();
        replaced.add(weight);
        replaced.add(from + "." + layout.bias());
        source.weightReader().ifPresent(r -> replaced.addAll(r.tensors(source.module(blockIndex(), layout))));
        float[] bias = m.bias();
        try (Arena arena = Arena.ofConfined()) {
            Map<String, Tensor> out = new LinkedHashMap<>();
            Optional<ModuleWriter.Coded> coded = writer.coded(m, arena);
            if (coded.isPresent()) {
                if (layout.stacked() && !writer.stacks()) {
                    throw BadInput.of(BadInput.Common.FORMAT, "%s: the checkpoint stacks all experts in one tensor, for which servers know no codes of this format; "
                            + "leave them float, or use --export mxfp4, fake or gguf", m.name());
                }
                readBack.expect(m.name(), coded.get());
                coded.get().tensors().forEach((part, t) -> {
                    if (layout.stacked()) {
                        String name = to + "." + layout.weight() + "_" + part;
                        stacks.computeIfAbsent(name, n -> new Stack(n, t.dtype(), experts(layout), t.shape())).slice(layout.slice(), t);
                    } else {
                        out.put(m.name() + "." + part, t);
                    }
                });
            } else if (layout.stacked()) {
                floatSlice(stacks, weight, to + "." + layout.weight(), layout, transposed(layout, writer.floats(m)));
            } else {
                out.put(to + "." + layout.weight(), floatWeight(weight, layout, writer.floats(m), arena));
            }
            if (bias.length > 0) {
                String name = from + "." + layout.bias();
                if (layout.stacked()) {
                    floatSlice(stacks, name, to + "." + layout.bias(), layout, new Matrix(1, bias.length, bias));
                } else {
                    out.put(to + "." + layout.bias(), floats(name, new Shape(bias.length), bias, floatType(weight), arena));
                }
            }
            shards.add(out);
        }
    }

    private int blockIndex() {
        return kept.getLast();
    }

    private static Matrix transposed(ModuleLayout layout, Matrix w) {
        return layout.inputMajor() ? w.transpose() : w;
    }

    private Tensor floatWeight(String sourceName, ModuleLayout layout, Matrix w, Arena arena) {
        Matrix stored = transposed(layout, w);
        return floats(sourceName, new Shape(stored.rows(), stored.cols()), stored.data(), modelType(), arena);
    }

    /** A matrix, or a vector as one row, of one expert. In the source's type; in the model's where the source has codes. */
    private void floatSlice(Map<String, Stack> stacks, String from, String to, ModuleLayout layout, Matrix values) {
        Shape each = values.rows() == 1 ? new Shape(values.cols()) : new Shape(values.rows(), values.cols());
        stacks.computeIfAbsent(to, n -> new Stack(n, floatType(from), experts(layout), each)).slice(layout.slice(), values.data());
    }

    /** How many share the module's tensor. */
    private int experts(ModuleLayout layout) {
        return (int) source.layout(blockIndex()).modules().stream().filter(m -> m.stacked() && m.weight().equals(layout.weight())).count();
    }

    /** Experts that share a tensor, gathered until all are there. */
    private final class Stack {
        private final String to;
        private final Arena arena = Arena.ofShared();
        private final Tensor tensor;
        private final long each;
        private final Set<Integer> have = new HashSet<>();

        Stack(String to, DType type, int experts, Shape each) {
            this.to = to;
            this.each = each.elements();
            long[] dims = new long[each.rank() + 1];
            dims[0] = experts;
            System.arraycopy(each.dims(), 0, dims, 1, each.rank());
            this.tensor = Tensor.allocate(type, new Shape(dims), arena);
        }

        void slice(int index, float[] values) {
            Tensors.store(tensor, index * each, values, 0, values.length);
            have.add(index);
        }

        /** Bytes as they are. */
        void slice(int index, Tensor values) {
            tensor.bytes().asSlice(index * values.bytes().byteSize(), values.bytes().byteSize()).copyFrom(values.bytes());
            have.add(index);
        }

        void write() {
            try (arena) {
                if (have.size() != tensor.shape().dim(0)) {
                    throw BadInput.of(BadInput.Common.FORMAT, "%s holds %d experts in one tensor, and only %d of them are written so; a format of codes takes all or none",
                            to, tensor.shape().dim(0), have.size());
                }
                shards.add(to, tensor);
            }
        }
    }

    private void norm(NormLayout n, String from, String to, Norm norm) {
        new TreeMap<>(n.store(norm)).forEach((tensor, values) -> {
            String old = from.isEmpty() ? source.tensorName(tensor) : from + tensor;
            String name = to.isEmpty() ? old : to + tensor;
            // Gemma's norms are stored less one: values that did not change keep the bytes that they had
            boolean unchanged = n.minusOne() && source.store().find(old).map(t -> Arrays.equals(norm.weight(), plusOne(Tensors.toFloats(t)))).orElse(false);
            if (unchanged) {
                replaced.add(old);
                shards.add(name, source.store().get(old));
            } else {
                vector(old, name, values);
            }
        });
    }

    private static float[] plusOne(float[] w) {
        float[] out = w.clone();
        for (int i = 0; i < out.length; i++) {
            out[i] += 1f;
        }
        return out;
    }

    private void vector(String from, String to, float[] values) {
        replaced.add(from);
        try (Arena arena = Arena.ofConfined()) {
            shards.add(to, floats(from, source.store().find(from).map(Tensor::shape).orElse(new Shape(values.length)), values, modelType(), arena));
        }
    }

    /** A tensor outside the blocks; in the source's type where a method made it anew. */
    private void floatTensor(String canonical, Tensor t) {
        String name = source.tensorName(canonical);
        replaced.add(name);
        DType type = floatType(name);
        if (t.dtype() == type) {
            shards.add(name, t);
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            Tensor out = Tensor.allocate(type, t.shape(), arena);
            int piece = 1 << 20;
            float[] values = new float[(int) Math.min(piece, t.elements())];
            for (long i = 0; i < t.elements(); i += piece) {
                int n = (int) Math.min(piece, t.elements() - i);
                Tensors.toFloats(t, i, values, 0, n);
                Tensors.store(out, i, values, 0, n);
            }
            shards.add(name, out);
        }
    }

    private void floats(String canonical, Matrix m) {
        String name = source.tensorName(canonical);
        replaced.add(name);
        try (Arena arena = Arena.ofConfined()) {
            shards.add(name, floats(name, new Shape(m.rows(), m.cols()), m.data(), modelType(), arena));
        }
    }

    private Tensor floats(String from, Shape shape, float[] values, DType absent, Arena arena) {
        DType type = source.store().find(from).map(Tensor::dtype).filter(ModelDirectorySink::isModelType).orElse(absent);
        return Tensors.fromFloats(type, shape, values, arena);
    }

    private DType floatType(String sourceName) {
        return source.store().find(sourceName).map(Tensor::dtype).filter(ModelDirectorySink::isModelType).orElse(modelType());
    }

    private static boolean isModelType(DType t) {
        return t == DType.F32 || t == DType.F16 || t == DType.BF16 || t == DType.F64;
    }

    /** What config.json calls the model's type; the embedding's where it says nothing. */
    private DType modelType() {
        ObjectNode c = ConfigFile.copy(source.config().json());
        String name = c.path("torch_dtype").asText(c.path("dtype").asText(c.path("text_config").path("torch_dtype").asText("")));
        return switch (name) {
            case "float32" -> DType.F32;
            case "float16" -> DType.F16;
            case "bfloat16" -> DType.BF16;
            default -> Optional.of(source.store().get(source.tensorName(source.shape().ends().embedding())).dtype()).filter(ModelDirectorySink::isModelType)
                    .orElse(DType.BF16);
        };
    }

    @Override
    public String mark() {
        ObjectNode mark = JsonNodeFactory.instance.objectNode();
        mark.set("shards", shards.mark());
        mark.set("readBack", readBack.mark());
        ArrayNode names = mark.putArray("replaced");
        new TreeSet<>(replaced).forEach(names::add);
        ArrayNode blocks = mark.putArray("kept");
        kept.forEach(blocks::add);
        mark.put("untied", untied);
        mark.put("writer", WriterState.text(writer));
        return mark.toString();
    }

    @Override
    public void resume(ModelEnds ends, String mark) {
        directory.reopen();
        begun = true;
        JsonNode m = ConfigFile.parse(mark);
        shards.resume(m.path("shards"));
        readBack.resume(m.path("readBack"));
        m.path("replaced").forEach(n -> replaced.add(n.asText()));
        m.path("kept").forEach(n -> kept.add(n.asInt()));
        untied = m.path("untied").asBoolean();
        writer = WriterState.writer(m.path("writer").asText());
    }

    @Override
    public void resumeCommit(ModelEnds ends, String mark) {
        begun = true;
        JsonNode m = ConfigFile.parse(mark);
        readBack.resume(m.path("readBack"));
        Map<String, String> digests = new LinkedHashMap<>();
        m.path("shards").path("digests").properties().forEach(e -> digests.put(e.getKey(), e.getValue().asText()));
        readBack.digests(digests);
    }

    @Override
    public Written prepare() {
        Set<Integer> blocks = new HashSet<>(kept);
        List<String> gone = new ArrayList<>();
        for (int i = 0; i < source.spec().blocks(); i++) {
            if (!blocks.contains(i)) {
                gone.add(source.blockPrefix(i) + ".");
            }
        }
        for (TensorFate f : source.account()) {
            switch (f.fate()) {
                case CARRIED -> {
                    Tensor t = source.store().get(f.tensor());
                    shards.add(f.tensor(), t);
                    if (f.tensor().endsWith(".weight") && t.shape().rank() == 2) {
                        writer.carried(f.tensor().substring(0, f.tensor().length() - ".weight".length()));
                    }
                }
                case DROPPED -> dropped.add(f.tensor() + ": " + f.note());
                case USED -> {
                    if (gone.stream().anyMatch(f.tensor()::startsWith)) {
                        dropped.add(f.tensor() + ": the method left its block out");
                    } else if (!replaced.contains(f.tensor())) {
                        throw new IllegalStateException(f.tensor() + " (" + f.note() + ") was neither written nor replaced");
                    }
                }
            }
        }
        ObjectNode config = ConfigFile.copy(source.config().json());
        if (untied) {
            ConfigFile.untie(config);
        }
        if (!gone.isEmpty()) {
            ConfigFile.keepBlocks(config, source.spec().blocks(), kept);
        }
        String head = source.tensorName(source.shape().ends().head());
        writer.describe(config, head.isEmpty() ? "lm_head" : head.replaceFirst("\\.weight$", ""));
        List<io.llmc4j.engine.safetensors.WrittenFile> files = new ArrayList<>(shards.finish());
        files.add(AtomicFile.write(directory.staging().resolve("config.json"), ConfigFile.print(config).getBytes(StandardCharsets.UTF_8)));
        writer.files().forEach((name, json) ->
                files.add(AtomicFile.write(directory.staging().resolve(name), ConfigFile.print(json).getBytes(StandardCharsets.UTF_8))));
        readBack.digests(shards.digests());
        source.directory().ifPresent(d -> files.addAll(directory.copy(d, source.sideFiles().stream().filter(p -> !STALE.contains(p.toString())).toList())));
        return new Written(directory.target(), files.stream().map(f -> new WrittenFile(directory.staging().relativize(f.path()).toString(), f.bytes(), f.sha256())).toList(),
                List.copyOf(dropped));
    }

    @Override
    public void commit() {
        if (Files.isDirectory(directory.staging())) {
            ShardStage.sweep(directory.staging());
        }
        directory.commit();
    }

    @Override
    public List<String> verify() {
        return readBack.differences(directory.target());
    }

    @Override
    public void suspend() {
        shards.close();
        begun = false;
    }

    @Override
    public void close() {
        shards.close();
        if (begun) {
            directory.discard();
        }
    }
}
