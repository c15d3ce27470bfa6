/**
 * The tokenizer of a model directory as GGUF metadata: byte-level BPE with merges and the name of its splitting rule, SentencePiece with
 * scores and bytes, special tokens, chat templates; and back, so that a GGUF file alone can tokenize.
 */
package io.llmc4j.formats.export.gguf.vocab;
