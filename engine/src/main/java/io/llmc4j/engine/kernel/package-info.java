/**
 * Kernels: one small interface of array arithmetic, its readable scalar definition, its Vector API twin, and the lookup that picks one
 * (property {@code llmc4j.kernels=scalar|vector}, {@code llmc4j.threads}, {@code llmc4j.vector.bits}). Beside it, each with both twins: the product
 * in double for factorisations, and bulk conversion of stored floats. Nothing here knows what a model is.
 */
package io.llmc4j.engine.kernel;
