package io.llmc4j.formats.hf;

import io.llmc4j.engine.quant.QuantScheme;

/**
 * How a server stores a block's keys and values, with scales that calibration fixed.
 *
 * @param scheme per tensor, static
 * @param keys   a key is its code times this
 * @param values a value is its code times this
 */
public record CacheScales(QuantScheme scheme, float keys, float values) {
}
