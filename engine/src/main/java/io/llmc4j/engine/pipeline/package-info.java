/**
 * The run: a fold over blocks ({@link io.llmc4j.engine.pipeline.BlockFold}), the run as data ({@link io.llmc4j.engine.pipeline.RunConfig}), what it reads
 * from and writes to, its plan, its journal and the events that others listen to.
 */
package io.llmc4j.engine.pipeline;
