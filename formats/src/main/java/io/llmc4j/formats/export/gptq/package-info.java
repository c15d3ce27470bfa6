/**
 * The checkpoint format of AutoGPTQ and GPTQModel, versions 1 and 2, at 2, 3, 4 and 8 bits, with the group of each input channel.
 */
package io.llmc4j.formats.export.gptq;
