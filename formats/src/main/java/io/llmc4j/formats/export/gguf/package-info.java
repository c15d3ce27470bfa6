/**
 * GGUF, the file format of llama.cpp: container (writer and strict reader), the mapping of model families onto its metadata and tensor
 * names, the per-tensor mixes of its file types, importance matrices. What is written is read back here, as a model source.
 */
package io.llmc4j.formats.export.gguf;
