package io.llmc4j.formats.export.gguf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.pipeline.ModelSource;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.formats.export.gguf.arch.ArchReader;
import io.llmc4j.formats.export.gguf.arch.BlockReader;
import io.llmc4j.formats.export.gguf.arch.GgufArch;
import io.llmc4j.formats.export.gguf.arch.TensorNames;
import io.llmc4j.formats.export.gguf.block.GgmlType;
import io.llmc4j.formats.export.gguf.vocab.TokenizerJson;
import io.llmc4j.formats.text.Tokenizer;
import java.lang.foreign.Arena;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A GGUF file as a model: the architecture rebuilt from its metadata, weights decoded to float32. Opening checks every tensor of every
 * block: one that is missing, has another shape or is not known is refused.
 */
public final class GgufModel implements ModelSource {

    private final GgufModelFiles files;
    private final StoredTensors tensors;
    private final ArchReader reader;
    private final ModelSpec spec;
    private final float eps;
    private final Arena arena = Arena.ofShared();
    private Optional<ModelEnds> ends = Optional.empty();

    private GgufModel(GgufModelFiles files) {
        this.files = files;
        this.tensors = new StoredTensors(files);
        this.reader = new ArchReader(files.metadata(), tensors::shape, n -> tensors.vector(n + ".weight"));
        this.eps = reader.epsilon();
        this.spec = reader.spec();
    }

    /** The GGUF file that a path means: itself, or the only model of a directory that holds no safetensors. */
    public static Optional<Path> find(Path path) {
        if (path.toString().endsWith(".gguf")) {
            return Optional.of(path);
        }
        if (!Files.isDirectory(path) || Files.exists(path.resolve("config.json"))) {
            return Optional.empty();
        }
        try (Stream<Path> files = Files.list(path)) {
            return files.filter(f -> f.toString().endsWith(".gguf")).sorted().findFirst();
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.MODEL, path + ": cannot be listed: " + e.getMessage(), e);
        }
    }

    /** @param file the file, or the first part of a split model */
    public static GgufModel open(Path file) {
        GgufModelFiles files = GgufModelFiles.open(file);
        try {
            GgufModel m = new GgufModel(files);
            m.check();
            return m;
        } catch (RuntimeException e) {
            files.close();
            throw e;
        }
    }

    private void check() {
        for (int i = 0; i < spec.blocks(); i++) {
            block(i);
        }
        tensors.expect(TensorNames.EMBEDDING + ".weight", spec.vocabularySize(), spec.hiddenSize());
        tensors.expect(TensorNames.OUTPUT_NORM + ".weight", spec.hiddenSize());
        if (tensors.has(TensorNames.OUTPUT + ".weight")) {
            tensors.expect(TensorNames.OUTPUT + ".weight", spec.vocabularySize(), spec.hiddenSize());
        }
        for (String optional : List.of(TensorNames.OUTPUT_NORM + ".bias", TensorNames.OUTPUT + ".bias", TensorNames.EMBEDDING_NORM + ".weight",
                TensorNames.EMBEDDING_NORM + ".bias", TensorNames.ROPE_FREQUENCIES + ".weight", TensorNames.ROPE_LONG + ".weight",
                TensorNames.ROPE_SHORT + ".weight")) {
            tensors.vector(optional);
        }
        if (tensors.has(TensorNames.POSITIONS + ".weight")) {
            tensors.type(TensorNames.POSITIONS + ".weight");
        }
        List<String> unknown = tensors.unknown();
        if (!unknown.isEmpty()) {
            throw BadInput.of(GgufError.TENSOR, "%s has tensors that the architecture %s does not know: %s", files.paths().getFirst(), arch().title(),
                    unknown.subList(0, Math.min(20, unknown.size())));
        }
    }

    public GgufArch arch() {
        return reader.arch();
    }

    public GgufMetadata metadata() {
        return files.metadata();
    }

    /** The tokenizer that the file carries; the caller closes it. */
    public Tokenizer tokenizer() {
        return Tokenizer.of(TokenizerJson.of(metadata()), new byte[0], paths().getFirst().toString());
    }

    public List<Path> paths() {
        return files.paths();
    }

    /** The type in the file of a tensor, "blk.0.attn_q.weight". */
    public GgmlType type(String tensor) {
        return tensors.type(tensor);
    }

    /** Entries of all tensors, in file order. */
    public List<GgufTensorInfo> tensorInfos() {
        return files.tensors().values().stream().map(GgufModelFiles.Located::info).toList();
    }

    @Override
    public ModelSpec spec() {
        return spec;
    }

    @Override
    public ModelEnds ends() {
        if (ends.isEmpty()) {
            ends = Optional.of(readEnds());
        }
        return ends.get();
    }

    private ModelEnds readEnds() {
        Tensor embedding = tensors.tensor(TensorNames.EMBEDDING + ".weight", arena);
        Optional<Tensor> head = Optional.of(TensorNames.OUTPUT + ".weight").filter(tensors::has).map(n -> tensors.tensor(n, arena));
        Optional<Tensor> positions = Optional.of(TensorNames.POSITIONS + ".weight").filter(tensors::has).map(n -> tensors.tensor(n, arena));
        return new ModelEnds(embedding, positions, norm(TensorNames.EMBEDDING_NORM), Optional.empty(), norm(TensorNames.OUTPUT_NORM), Optional.empty(), head,
                tensors.vector(TensorNames.OUTPUT + ".bias"));
    }

    private Optional<Norm> norm(String name) {
        return tensors.has(name + ".weight") ? Optional.of(new Norm(name, reader.normKind(), eps, tensors.vector(name + ".weight"),
                tensors.vector(name + ".bias"))) : Optional.empty();
    }

    @Override
    public Block block(int index) {
        return BlockReader.read(arch(), tensors, eps, spec.hiddenSize(), index, spec.layers().get(index));
    }

    @Override
    public String blockPrefix(int index) {
        return "blk." + index;
    }

    @Override
    public void release() {
        files.release();
    }

    @Override
    public void close() {
        arena.close();
        files.close();
    }
}
