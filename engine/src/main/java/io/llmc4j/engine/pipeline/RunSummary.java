package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.evaluate.EvaluationResult;
import java.util.List;
import java.util.Map;

/**
 * What a run did. Weights are not kept: sinks and listeners saw them.
 *
 * @param written   one entry a sink, in their order
 * @param artifacts vectors that methods export beside the model, by file ("scales", "clips") and key; under {@link #LOSSES} the losses of the methods that learn, an
 *                  epoch each, by "block stage"
 * @param notes     what the report should say
 */
public record RunSummary(List<EvaluationResult> evaluations, List<LayerRow> layers, List<ModelSink.Written> written,
                         Map<String, Map<String, io.llmc4j.engine.tensor.Matrix>> artifacts, List<String> notes, List<Integer> droppedBlocks, double seconds) {

    public static final String LOSSES = "losses";


    /** A layer's row of the report: {@link LayerResult} without its matrices. {@code bits} as there. */
    public record LayerRow(int block, String name, int out, int in, double bits, double meanSquaredError, double relativeError, double seconds,
                           List<String> notes) { }
}
