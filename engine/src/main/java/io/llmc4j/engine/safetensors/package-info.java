/**
 * Safetensors: a mapped strict reader, a streaming atomic writer, sharded checkpoints and their index.
 */
package io.llmc4j.engine.safetensors;
