package io.llmc4j.formats.data;

import io.llmc4j.engine.BadInput;

/** What can be wrong with calibration or evaluation data. */
public enum DataError implements BadInput.Kind {
    /** Not there, no permission, broken compression. */
    UNREADABLE,
    /** No format that is read here. */
    UNKNOWN_FORMAT,
    /** A known format with something in it that is not read here. */
    NOT_SUPPORTED,
    NOT_UTF8,
    BAD_JSON,
    /** JSON of another form than a list of strings, objects with a text field, or lists of ids. */
    BAD_SHAPE,
    /** No text column of the wanted name. */
    NO_TEXT_FIELD,
    BAD_ARROW,
    BAD_PARQUET,
    /** Several splits and none asked for. */
    AMBIGUOUS_SPLIT,
    /** More text than memory has room for. */
    TOO_LARGE,
    /** No rows. */
    EMPTY,
    /** Not enough text for one window. */
    TOO_SHORT,
    /** A token id that is negative or past the vocabulary. */
    BAD_TOKENS,
    /** Samples of different lengths that should form one batch. */
    UNEQUAL_LENGTHS
}
