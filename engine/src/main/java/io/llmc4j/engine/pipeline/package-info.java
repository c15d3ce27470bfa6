/**
 * The run: a fold over blocks, what it reads from and writes to, its plan, its journal and the events that others listen to.
 */
package io.llmc4j.engine.pipeline;
