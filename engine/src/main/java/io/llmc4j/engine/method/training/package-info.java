/**
 * What the methods that learn share: quantizers on a tape, the float stream that targets come from, the loop of epochs. The methods themselves are
 * one room up.
 */
package io.llmc4j.engine.method.training;
