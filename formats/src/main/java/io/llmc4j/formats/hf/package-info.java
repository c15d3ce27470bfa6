/**
 * Hugging Face model directories: config.json read strictly, tensors by role, fused modules split and joined exactly, every tensor accounted
 * for. What a family is called and how it is laid out is data in {@link io.llmc4j.formats.hf.family}.
 */
package io.llmc4j.formats.hf;
