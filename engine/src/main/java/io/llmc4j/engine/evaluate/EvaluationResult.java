package io.llmc4j.engine.evaluate;

/** One measured value. */
public record EvaluationResult(String data, Evaluation.Kind kind, Position position, int seqLen, int windows, long tokens, double value) {
}
