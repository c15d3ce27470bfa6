/**
 * Benchmarks: JMH classes end in {@code Benchmark}, quick looks by processor time in {@code Speed}. Nothing here is part of a test; README tells how
 * to run them.
 */
package io.llmc4j.benchmarks;
