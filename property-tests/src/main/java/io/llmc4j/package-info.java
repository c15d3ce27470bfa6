/** JMH benchmarks; the laws and golden values are among the tests. */
package io.llmc4j;
