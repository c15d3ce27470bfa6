/**
 * Text to token ids and back: tokenizers as Hugging Face directories define them ({@code tokenizer.json}, {@code tokenizer_config.json}), run by DJL's
 * binding of the tokenizers library. No truncation and no padding unless asked for, and nothing is ever fetched.
 */
package io.llmc4j.formats.text;
