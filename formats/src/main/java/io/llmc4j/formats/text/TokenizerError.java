package io.llmc4j.formats.text;

import io.llmc4j.engine.BadInput;

/** What can be wrong with the tokenizer of a model directory. */
public enum TokenizerError implements BadInput.Kind {
    /** No tokenizer.json in the directory. */
    MISSING,
    UNREADABLE,
    /** tokenizer.json is not JSON, or not what the tokenizers library takes. */
    BAD_TOKENIZER,
    /** tokenizer_config.json is not a JSON object, or a field has the wrong type. */
    BAD_CONFIG,
    /** A special token that is asked for is not one token of the vocabulary. */
    NO_SPECIAL_TOKEN
}
