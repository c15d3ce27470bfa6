/**
 * Rotations of the residual stream: fusing norms, turning everything that reads from or writes to the stream, and the online Hadamard transforms.
 * QuaRot draws the rotation, SpinQuant learns it; both turn the model here.
 */
package io.llmc4j.engine.method.rotation;
