/**
 * Architectures as llama.cpp knows them: which of our families is which, their metadata keys, tensor names, row order of queries and keys.
 * Each direction checks the other: what is written is turned back into an architecture and compared before a block is read.
 */
package io.llmc4j.formats.export.gguf.arch;
