package io.llmc4j.formats.audit;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.pipeline.ModelSource;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.formats.export.gguf.GgufModel;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.ModuleCodec;
import io.llmc4j.formats.hf.ModuleLayout;
import io.llmc4j.formats.hf.StoredModule;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** The model under audit: a directory in any format that is read here, or a GGUF file. */
final class QuantizedModel implements AutoCloseable {

    private final ModelSource source;
    private final Optional<HfModel> directory;
    private final String format;

    private QuantizedModel(ModelSource source, Optional<HfModel> directory, String format) {
        this.source = source;
        this.directory = directory;
        this.format = format;
    }

    /** Throws what the readers throw. */
    static QuantizedModel open(Path path) {
        Optional<Path> gguf = GgufModel.find(path);
        if (gguf.isPresent()) {
            GgufModel m = GgufModel.open(gguf.get());
            return new QuantizedModel(m, Optional.empty(), "GGUF");
        }
        HfModel m = HfModel.examine(path);
        return new QuantizedModel(m, Optional.of(m), FormatName.of(m.config().json()));
    }

    /** What is left of a directory that does not open. */
    static QuantizedModel of(HfModel model) {
        return new QuantizedModel(model, Optional.of(model), FormatName.of(model.config().json()));
    }

    ModelSource source() {
        return source;
    }

    Optional<HfModel> directory() {
        return directory;
    }

    String format() {
        return format;
    }

    /** Whether config.json or the container says that weights are quantized. */
    boolean claimsCodes() {
        return directory.isEmpty() || directory.get().weightReader().isPresent();
    }

    /**
     * The codes of a block's layers, by layer name; a layer that is stored as floats, or in a way that has no codes of ours, is not there.
     *
     * @param broken hears of modules whose tensors do not fit together
     */
    Map<String, QuantizedMatrix> codes(int block, Consumer<BadInput> broken) {
        Map<String, QuantizedMatrix> out = new LinkedHashMap<>();
        if (directory.isEmpty()) {
            return out;
        }
        HfModel m = directory.get();
        for (ModuleLayout layout : m.layout(block).modules()) {
            StoredModule stored = m.module(block, layout);
            if (!m.isQuantized(stored)) {
                continue;
            }
            try {
                Optional<QuantizedMatrix> q = m.codes(stored);
                if (q.isPresent()) {
                    for (ModuleLayout.Part p : layout.parts()) {
                        out.put(p.linear(), ModuleCodec.split(layout, p, q.get()));
                    }
                }
            } catch (BadInput e) {
                broken.accept(e);
            }
        }
        return out;
    }

    /** The block type of a layer of a GGUF file. */
    Optional<GgufBlocks> blocks(int block, String layer) {
        return source instanceof GgufModel m ? Optional.of(GgufBlocks.of(m, block, layer)) : Optional.empty();
    }

    /** Names of the layers of a block that are stored quantized. */
    List<String> quantizedLayers(int block) {
        if (directory.isEmpty()) {
            return source.block(block).linears().stream().map(Linear::name).toList();
        }
        HfModel m = directory.get();
        return m.layout(block).modules().stream().filter(l -> m.isQuantized(m.module(block, l))).flatMap(l -> l.parts().stream()).map(ModuleLayout.Part::linear).toList();
    }

    /** The layer of this model that plays the part of an original's layer: by name, else by role and expert. */
    static Optional<Linear> counterpart(Block block, Linear original) {
        return block.linears().stream().filter(l -> l.name().equals(original.name())).findFirst()
                .or(() -> block.linears().stream().filter(l -> l.role() == original.role() && l.expert() == original.expert()).findFirst());
    }

    @Override
    public void close() {
        source.close();
    }
}
