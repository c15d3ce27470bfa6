package io.llmc4j.formats.export.gguf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.pipeline.ModelSource;
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
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Writes a model as GGUF, block by block: transformed weights are encoded by the file type's mix; codes of a method go in as they are where
 * a block type holds them ({@link DirectBlocks}), else the method's rounded weight is encoded.
 */
public final class GgufSink implements ModelSink {

    private final GgufTarget target;
    private final GgufPlan plan;
    private final GgufWriter writer;
    private final TensorEncoder encoder;
    private final List<TensorEncoder.Encoded> encoded = new ArrayList<>();
    private Optional<QuantMix> mix = Optional.empty();
    private final List<LayerSpec> kept = new ArrayList<>();
    private final ModelSpec spec;
    private Optional<Float> epsilon = Optional.empty();
    private List<Path> files = List.of();

    /** Checks the architecture, the tokenizer and the file type's needs; nothing is written yet. */
    public GgufSink(GgufTarget target, ModelSpec spec) {
        this.target = target;
        this.spec = spec;
        this.plan = new GgufPlan(spec, target);
        if (target.type().needsImportance() && target.importance().isEmpty()) {
            throw BadInput.of(BadInput.Common.CONFIG, "GGUF: %s needs an importance matrix: compute one, or name a file of one", target.type());
        }
        try {
            Files.createDirectories(target.directory());
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.OUTPUT, "cannot make " + target.directory() + ": " + e.getMessage(), e);
        }
        this.writer = new GgufWriter(target.file(), plan.metadata(), target.splitBytes());
        this.encoder = new TensorEncoder(writer);
    }

    /** The whole of a source as it is, without a method between. */
    public static Written write(ModelSource source, GgufTarget target) {
        try (GgufSink sink = new GgufSink(target, source.spec())) {
            sink.ends(source.ends());
            for (int i = 0; i < source.spec().blocks(); i++) {
                sink.block(source.block(i), List.of());
            }
            return sink.finish();
        }
    }

    @Override
    public void ends(ModelEnds ends) {
        List<BlockTensors.Named> tensors = EndTensors.of(plan.arch(), ends, plan.rotaryTensors());
        boolean tied = tensors.stream().noneMatch(t -> t.name().equals("output.weight"));
        mix = Optional.of(plan.mix(target.type(), tied, !target.importance().isEmpty()));
        ends.finalNorm().ifPresent(this::epsilon);
        tensors.forEach(this::write);
    }

    /** Blocks that a method left out are left out: later ones get lower numbers. {@code layers} empty: every layer's own weight. */
    @Override
    public void block(Block block, List<LayerResult> layers) {
        Map<String, LayerResult> byName = layers.stream().collect(Collectors.toMap(r -> r.layer().name(), Function.identity()));
        block.norms().values().forEach(this::epsilon);
        BlockTensors.of(plan.arch(), block, kept.size(), l -> written(l, byName)).forEach(this::write);
        kept.add(block.spec());
    }

    private static BlockTensors.Written written(Linear l, Map<String, LayerResult> results) {
        LayerResult r = results.get(l.name());
        return r == null ? new BlockTensors.Written(l.weight(), Optional.empty()) : new BlockTensors.Written(r.fake(), r.quantized());
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
        if (kept.size() < spec.blocks()) {
            ModelSpec fewer = new ModelSpec(spec.family(), spec.hiddenSize(), spec.vocabularySize(), spec.contextLength(), spec.embeddingMultiplier(),
                    spec.positionOffset(), spec.logitMultiplier(), spec.logitSoftCap(), kept);
            new GgufPlan(fewer, target).metadata().values().forEach(plan.metadata()::put);
        }
        files = writer.finish();
        return new Written(target.directory(), files.stream().map(WrittenFiles::of).toList(), plan.dropped());
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
