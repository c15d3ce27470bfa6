/**
 * GPT-OSS's own layout: experts stacked in one tensor, in MXFP4, everything else in the model's type. Transformers calls it {@code quant_method: mxfp4};
 * vLLM, SGLang and OpenAI's reference code read it.
 */
package io.llmc4j.formats.export.mxfp4;
