package io.llmc4j.formats.export;

import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.formats.hf.HfModel;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** A format that models are written in. {@link Exports} is the list of them. */
public interface ExportFormat {

    /** What {@code --export} calls it, "vllm". */
    String name();

    /** LLMC's sub-directory of {@code save_path}, "vllm_quant_model". */
    String directory();

    /** Half a line: what is written, and who reads it. */
    String description();

    /** Whether it holds real codes; false: floats (transformed, or quantized and dequantized). */
    boolean holdsCodes();

    /** What a run takes for weights when nobody says: true symmetric, false asymmetric. */
    boolean symmetricByDefault();

    /** Why this layer cannot be written, one clause each; empty when it can. Nothing is read for it. */
    List<String> problems(PlannedLayer layer);

    /** Rules on the layers together: fused modules whose parts must agree. One clause each, with names. */
    default List<String> problems(List<PlannedLayer> layers) {
        return List.of();
    }

    /** Writes the modules of one directory; not asked for when there is a {@link #sink}. */
    ModuleWriter writer();

    /** A sink of its own, for a format that is no directory of modules under their original names; empty: a {@link ModelDirectorySink}. */
    default Optional<ModelSink> sink(HfModel source, Path target, long maxShardBytes, boolean overwrite) {
        return Optional.empty();
    }
}
