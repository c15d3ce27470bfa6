/**
 * HQQ's modules as its safetensors path stores them: every setting of a layer is a tensor beside its codes.
 */
package io.llmc4j.formats.export.hqq;
