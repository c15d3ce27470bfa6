/**
 * MLX's affine quantization, as mlx-lm writes and loads it: value = scale * code + bias.
 */
package io.llmc4j.formats.export.mlx;
