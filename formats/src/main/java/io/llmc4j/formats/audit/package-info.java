/**
 * The audit of a quantized model against its original, whoever wrote it: the rules of its format, the error of every layer, the likely cause where one is
 * off, and what it does to text. Nothing here writes a model; what is found is a list of {@link io.llmc4j.formats.audit.Finding}s and numbers.
 */
package io.llmc4j.formats.audit;
