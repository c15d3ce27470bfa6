package io.llmc4j.formats.audit;

import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.quant.QuantizedMatrix;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A sink that writes nothing: it holds what a run computes, block by block, against the codes of a model that is there already. */
public final class Reproduction implements ModelSink {

    private final QuantizedModel model;
    private final Path directory;
    private final List<CodeDifference.Layer> layers = new ArrayList<>();

    private Reproduction(Path directory, QuantizedModel model) {
        this.directory = directory;
        this.model = model;
    }

    /** Throws what the readers throw. */
    public static Reproduction against(Path directory) {
        return new Reproduction(directory, QuantizedModel.open(directory));
    }

    @Override
    public void ends(ModelEnds ends) {
        // Embeddings and heads have no codes.
    }

    @Override
    public void block(Block block, List<LayerResult> results) {
        Map<String, QuantizedMatrix> stored = model.codes(block.index(), e -> {
            throw e;
        });
        for (LayerResult r : results) {
            Optional<QuantizedMatrix> mine = r.quantized();
            QuantizedMatrix its = stored.get(r.layer().name());
            if (mine.isPresent() && its != null) {
                layers.add(CodeComparison.of(block.index(), r.fullName(), its, mine.get()));
            } else if (mine.isPresent()) {
                layers.add(CodeComparison.oneSided(block.index(), r.fullName(), mine.get().scheme(), mine.get().codes().length, false, "no codes"));
            } else if (its != null) {
                layers.add(CodeComparison.oneSided(block.index(), r.fullName(), its.scheme(), its.codes().length, true,
                        r.weightScheme().isPresent() ? "no codes" : "float"));
            }
        }
    }

    @Override
    public Written finish() {
        return new Written(directory, List.of(), List.of());
    }

    @Override
    public List<String> verify() {
        return List.of();
    }

    /** After the run. */
    public CodeDifference difference(String configuration) {
        return new CodeDifference(directory.toString(), configuration, layers);
    }

    /** What the difference means: other codes are a fault, since the configuration was said to give this model. */
    public static List<Finding> findings(CodeDifference d) {
        if (d.same()) {
            return List.of(Finding.note(Finding.Rule.REPRODUCE, "", "the configuration gives this model: %s", d.verdict()));
        }
        return List.of(Finding.fault(Finding.Rule.REPRODUCE, "", "the configuration does not give this model: %s", d.verdict()));
    }

    @Override
    public void close() {
        model.close();
    }
}
