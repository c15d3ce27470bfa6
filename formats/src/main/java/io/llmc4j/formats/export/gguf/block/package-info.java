/**
 * The block formats of GGUF: for each tensor type one file that encodes a row of float32 into blocks and decodes it back. Encoders give
 * the bytes that ggml's reference encoders give (tests hold them to it), so float32 operations stand in a fixed order, without fused
 * multiply-add.
 */
package io.llmc4j.formats.export.gguf.block;
