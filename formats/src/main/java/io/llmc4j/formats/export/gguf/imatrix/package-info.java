/**
 * Importance matrices: for each tensor the mean square of each input column over calibration tokens, by which encoders weigh errors.
 * Computed here or read; written and read in llama.cpp's two formats.
 */
package io.llmc4j.formats.export.gguf.imatrix;
