/**
 * Everything that somebody else defined: Hugging Face directories and model families, tokenizers, data sets, and each export format.
 */
package io.llmc4j.formats;
