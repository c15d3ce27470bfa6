package io.llmc4j.formats.export.gguf;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.pipeline.ModelSource;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.formats.export.gguf.arch.ArchWriter;
import io.llmc4j.formats.export.gguf.arch.BlockTensors;
import io.llmc4j.formats.export.gguf.arch.EndTensors;
import io.llmc4j.formats.export.gguf.block.GgmlType;
import io.llmc4j.formats.export.gguf.mix.QuantMix;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Writes a model as GGUF, block by block: transformed weights are encoded by the file type's mix; codes of a method go in as they are where
 * a block type holds them ({@link DirectBlocks}), else the method's rounded weight is encoded, or where it only took the nearest codes the weight before that
 * ({@link NearestCodes}).
 */
public final class GgufSink implements ModelSink {

    private final GgufTarget target;
    private final GgufPlan plan;
    private final GgufWriter writer;
    private final TensorEncoder encoder;
    private final List<TensorEncoder.Encoded> encoded = new ArrayList<>();
    private Optional<QuantMix> mix = Optional.empty();
    private final List<Integer> kept = new ArrayList<>();
    private final ModelSpec spec;
    private Optional<Float> epsilon = Optional.empty();
    private Optional<ModelSource> source = Optional.empty();
    private List<Path> files = List.of();

    /** Checks the architecture, the tokenizer and the file type's needs; nothing is written yet. */
    public GgufSink(GgufTarget target, ModelSpec spec) {
        this.target = target;
        this.spec = spec;
        this.plan = new GgufPlan(spec, target);
        if (target.type().needsImportance() && target.importance().isEmpty()) {
            throw BadInput.of(BadInput.Common.CONFIG, "GGUF: %s needs an importance matrix: compute one, or name a file of one", target.type());
        }
        this.writer = new GgufWriter(target.file(), plan.metadata(), target.splitBytes());
        this.encoder = new TensorEncoder(writer);
    }

    /** The whole of a source as it is, without a method between. */
    public static Written write(ModelSource source, GgufTarget target) {
        try (GgufSink sink = new GgufSink(target, source.spec()).from(source)) {
            sink.ends(source.ends());
            for (int i = 0; i < source.spec().blocks(); i++) {
                sink.block(source.block(i), List.of());
            }
            return sink.finish();
        }
    }

    /** The model as it is read: most methods leave the names of its tensors as they are, so that the size of the header is known before the first of them. */
    GgufSink from(ModelSource model) {
        source = Optional.of(model);
        return this;
    }

    private void reserve(ModelEnds ends) {
        if (source.isEmpty()) {
            return;
        }
        GgufMetadata expected = plan.metadata().copy();
        List<BlockTensors.Named> tensors = new ArrayList<>(EndTensors.of(plan.arch(), ends, plan.rotaryTensors()));
        try {
            for (int i = 0; i < spec.blocks(); i++) {
                Block b = source.get().block(i);
                b.norms().values().forEach(n -> ArchWriter.putEpsilon(plan.arch(), n.eps(), expected));
                // names and shapes alone are asked for
                tensors.addAll(BlockTensors.of(plan.arch(), b, i, l -> new BlockTensors.Written(new Matrix(0, 0), Optional.empty(), l::weight)));
            }
        } catch (BadInput e) {
            // What was read cannot be written as it is; what a method makes of it can perhaps.
            return;
        }
        writer.reserve(expected, tensors.stream().map(t -> new GgufTensorInfo(t.name(), t.shape(), GgmlType.F32, 0)).toList());
    }

    @Override
    public void ends(ModelEnds ends) {
        try {
            Files.createDirectories(target.directory());
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.OUTPUT, "cannot make " + target.directory() + ": " + e.getMessage(), e);
        }
        List<BlockTensors.Named> tensors = rules(ends);
        reserve(ends);
        tensors.forEach(this::write);
    }

    /** Fixes the mix, which depends on whether there is an output matrix, and gives the tensors outside the blocks. */
    private List<BlockTensors.Named> rules(ModelEnds ends) {
        List<BlockTensors.Named> tensors = EndTensors.of(plan.arch(), ends, plan.rotaryTensors());
        boolean tied = tensors.stream().noneMatch(t -> t.name().equals("output.weight"));
        mix = Optional.of(plan.mix(target.type(), tied, !target.importance().isEmpty()));
        ends.finalNorm().ifPresent(this::epsilon);
        return tensors;
    }

    /** Blocks that a method left out are left out: later ones get lower numbers. {@code layers} empty: every layer's own weight. */
    @Override
    public void block(Block block, List<LayerResult> layers) {
        Map<String, LayerResult> byName = layers.stream().collect(Collectors.toMap(r -> r.layer().name(), Function.identity()));
        block.norms().values().forEach(this::epsilon);
        BlockTensors.of(plan.arch(), block, kept.size(), l -> written(l, byName)).forEach(this::write);
        kept.add(block.index());
    }

    private static BlockTensors.Written written(Linear l, Map<String, LayerResult> results) {
        LayerResult r = results.get(l.name());
        return r == null ? new BlockTensors.Written(l.weight(), Optional.empty(), l::weight) : new BlockTensors.Written(r.fake(), r.quantized(), l::weight);
    }

    /** There is one key for the epsilon of all norms. */
    private void epsilon(Norm norm) {
        if (epsilon.isEmpty()) {
            epsilon = Optional.of(norm.eps());
            ArchWriter.putEpsilon(plan.arch(), norm.eps(), plan.metadata());
        } else if (epsilon.get() != norm.eps()) {
            throw BadInput.of(BadInput.Common.FORMAT, "GGUF: the norm %s has epsilon %s, others have %s; the file has one for all", norm.name(), norm.eps(),
                    epsilon.get());
        }
    }

    private void write(BlockTensors.Named t) {
        QuantMix rules = mix.orElseThrow(() -> new IllegalStateException("ends() comes before blocks"));
        GgmlType type = rules.type(t.name(), t.shape());
        Optional<float[]> importance = type.quantized() ? target.importance().weights(t.name(), t.shape()) : Optional.empty();
        if (importance.isEmpty() && rules.needsImportance(t.name(), type)) {
            throw BadInput.of(BadInput.Common.DATA, "GGUF: %s becomes %s in %s, which needs importance, and the importance matrix has none for it",
                    t.name(), type, target.type());
        }
        encoded.add(encoder.write(t.name(), t.shape(), type, t.parts(), importance.orElse(new float[0])));
    }

    /** What became of each tensor so far. */
    public List<TensorEncoder.Encoded> tensors() {
        return List.copyOf(encoded);
    }

    @Override
    public Written finish() {
        Written w = assemble();
        writer.sweep();
        return w;
    }

    /** {@link #finish()} without deleting the files that the tensors waited in. */
    Written assemble() {
        fewerBlocks();
        files = writer.assemble();
        return new Written(target.directory(), files.stream().map(WrittenFiles::of).toList(), plan.dropped());
    }

    /** The metadata tell how many blocks a method left. */
    private void fewerBlocks() {
        if (kept.size() < spec.blocks()) {
            ModelSpec fewer = new ModelSpec(spec.family(), spec.hiddenSize(), spec.vocabularySize(), spec.contextLength(), spec.embeddingMultiplier(),
                    spec.positionOffset(), spec.logitMultiplier(), spec.logitSoftCap(), kept.stream().map(spec.layers()::get).toList());
            new GgufPlan(fewer, target).metadata().values().forEach(plan.metadata()::put);
        }
    }

    /** The files that tensors wait in. */
    Set<String> waiting() {
        return writer.waiting();
    }

    /** The files that {@link #assemble()} made. */
    Set<String> names() {
        return files.stream().map(f -> f.getFileName().toString()).collect(Collectors.toSet());
    }

    void suspend() {
        writer.suspend();
    }

    /** Puts all on the disk, and tells where a later sink goes on. */
    ObjectNode mark() {
        ObjectNode mark = JsonNodeFactory.instance.objectNode();
        ArrayNode parts = mark.putArray("parts");
        for (List<GgufTensorInfo> p : writer.mark()) {
            ArrayNode part = parts.addArray();
            p.forEach(t -> tensor(part.addObject(), t.name(), t.shape(), t.type()).put("offset", t.offset()));
        }
        mark.put("room", writer.room());
        ArrayNode written = mark.putArray("encoded");
        encoded.forEach(e -> tensor(written.addObject(), e.name(), e.shape(), e.type()).put("bytes", e.bytes()).put("checksum", e.checksum()).put("error", e.error())
                .put("direct", e.direct()));
        ArrayNode blocks = mark.putArray("kept");
        kept.forEach(blocks::add);
        epsilon.ifPresent(e -> mark.put("epsilon", Float.floatToRawIntBits(e)));
        ArrayNode names = mark.putArray("files");
        files.forEach(f -> names.add(f.getFileName().toString()));
        return mark;
    }

    private static ObjectNode tensor(ObjectNode n, String name, Shape shape, GgmlType type) {
        ArrayNode dims = n.put("name", name).put("type", type.name()).putArray("shape");
        for (long d : shape.dims()) {
            dims.add(d);
        }
        return n;
    }

    private static Shape shape(JsonNode n) {
        long[] dims = new long[n.path("shape").size()];
        for (int i = 0; i < dims.length; i++) {
            dims[i] = n.path("shape").get(i).asLong();
        }
        return new Shape(dims);
    }

    /** @param writing false when all was assembled and only {@link #verify(Path)} is left */
    void resume(ModelEnds ends, JsonNode mark, boolean writing) {
        rules(ends);
        for (JsonNode e : mark.path("encoded")) {
            TensorEncoder.Encoded t = new TensorEncoder.Encoded(e.path("name").asText(), shape(e), GgmlType.valueOf(e.path("type").asText()), e.path("bytes").asLong(),
                    e.path("checksum").asLong(), e.path("error").asDouble(), e.path("direct").asBoolean());
            // the mix counts the layers of each kind that it has seen
            mix.orElseThrow().type(t.name(), t.shape());
            encoded.add(t);
        }
        mark.path("kept").forEach(i -> kept.add(i.asInt()));
        if (mark.has("epsilon")) {
            epsilon = Optional.of(Float.intBitsToFloat(mark.path("epsilon").asInt()));
            ArchWriter.putEpsilon(plan.arch(), epsilon.get(), plan.metadata());
        }
        List<Path> names = new ArrayList<>();
        mark.path("files").forEach(f -> names.add(target.directory().resolve(f.asText())));
        files = names;
        if (writing) {
            List<List<GgufTensorInfo>> parts = new ArrayList<>();
            for (JsonNode p : mark.path("parts")) {
                List<GgufTensorInfo> tensors = new ArrayList<>();
                p.forEach(t -> tensors.add(new GgufTensorInfo(t.path("name").asText(), shape(t), GgmlType.valueOf(t.path("type").asText()), t.path("offset").asLong())));
                parts.add(tensors);
            }
            writer.resume(parts, mark.path("room").asLong());
        } else {
            fewerBlocks();
        }
    }

    /** Reads the files back: every tensor's type, shape and bytes, and the architecture that they make. */
    @Override
    public List<String> verify() {
        return verify(target.directory());
    }

    /** The same after the files were moved, under their names, to this directory. */
    List<String> verify(Path directory) {
        return GgufCheck.differences(directory.resolve(files.getFirst().getFileName()), encoded, plan);
    }

    @Override
    public void close() {
        writer.close();
    }
}
