package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.quant.QuantScheme;

/**
 * How keys and values are stored ({@code quant.kvcache}).
 *
 * @param method         "Naive" or "Kivi"
 * @param residualLength newest tokens that stay in float (Kivi)
 */
public record KvCacheScheme(String method, QuantScheme scheme, int residualLength) {
}
