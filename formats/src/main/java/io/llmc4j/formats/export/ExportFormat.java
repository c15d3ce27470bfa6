package io.llmc4j.formats.export;

import io.llmc4j.engine.pipeline.KvCacheScheme;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.formats.hf.HfModel;
import java.nio.file.Path;
import java.util.List;

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

    /** Whether the method's codes are not what is written: every weight is rounded once more, to types that the format's name says. */
    default boolean roundsAgain() {
        return false;
    }

    /** Why this layer cannot be written, one clause each; empty when it can. Nothing is read for it. */
    List<String> problems(PlannedLayer layer);

    /** Rules on the layers together: fused modules whose parts must agree. One clause each, with names. */
    default List<String> problems(List<PlannedLayer> layers) {
        return List.of();
    }

    /** Whether quantized experts that the checkpoint stacks in one tensor can be written. Servers read such families' codes in no other layout than their own. */
    default boolean stackedExperts() {
        return !holdsCodes();
    }

    /** Whether it holds codes of such experts and of nothing else. */
    default boolean stackedExpertsOnly() {
        return false;
    }

    /**
     * Why the scales of a static cache of keys and values have no place in it, one clause; empty when they have, or when it holds floats and says
     * nothing of rounding at run time.
     */
    default String whyNoCache(KvCacheScheme cache, List<PlannedLayer> layers) {
        return holdsCodes() ? "it has no place for the scales of keys and values" : "";
    }

    /** Files beside the model that are read for it. */
    default List<Path> reads() {
        return List.of();
    }

    /**
     * A sink that writes {@code target}. Throws BadInput (OUTPUT) when the target is the source's directory, or is there and not empty.
     *
     * @param maxShardBytes limit of one weight file
     * @param overwrite     whether a directory that is in the way is replaced at the end
     */
    ModelSink open(HfModel source, Path target, long maxShardBytes, boolean overwrite);
}
