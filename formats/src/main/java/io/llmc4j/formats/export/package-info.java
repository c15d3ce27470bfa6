/**
 * Exports: what each format that somebody serves calls the tensors of a quantized module, how it packs them, what it says in config.json,
 * and which rules it has. Every format has a writer and a reader, because what was written is read back and compared. One room a format;
 * the list of them is {@link io.llmc4j.formats.export.Exports}.
 */
package io.llmc4j.formats.export;
