/**
 * Evaluation: perplexity, token agreement, generation, layer error.
 */
package io.llmc4j.engine.evaluate;
