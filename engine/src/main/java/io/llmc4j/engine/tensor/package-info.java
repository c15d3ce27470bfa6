/**
 * Tensors: bytes of any element type over a memory segment ({@link io.llmc4j.engine.tensor.Tensor}), float32 matrices over heap arrays
 * for computing ({@link io.llmc4j.engine.tensor.Matrix}), and the exact conversions between element types.
 */
package io.llmc4j.engine.tensor;
