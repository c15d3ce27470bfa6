/**
 * Linear algebra built on kernels: Cholesky, triangular inverse, Hadamard matrices, random orthogonal matrices.
 */
package io.llmc4j.engine.linalg;
