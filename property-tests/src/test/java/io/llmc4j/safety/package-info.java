/** Runs that are killed, stopped, starved or fed with bad numbers: nothing is lost, nothing partial has a final name, and the bytes are the same. */
package io.llmc4j.safety;
