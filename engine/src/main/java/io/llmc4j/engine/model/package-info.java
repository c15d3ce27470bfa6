/**
 * The decoder: one architecture described as data ({@link io.llmc4j.engine.model.ModelSpec}), its layers, its forward pass.
 * Families map their tensors to these roles in the formats module; nothing here knows a tensor name of a file.
 */
package io.llmc4j.engine.model;
