package io.llmc4j.engine.safetensors;

import io.llmc4j.engine.BadInput;

/** Each way in which a safetensors file, an index or the writing of one can be wrong. */
public enum SafetensorsError implements BadInput.Kind {
    /** The file is not there or cannot be read. */
    UNREADABLE,
    /** Less than the eight bytes of the header length. */
    TOO_SHORT,
    /** A header length past 100,000,000 bytes. */
    HEADER_TOO_LARGE,
    /** The header ends after the file. */
    HEADER_PAST_END,
    NOT_UTF8,
    /** The header is not JSON, or something follows its closing brace. */
    BAD_JSON,
    /** The header is JSON but no object. */
    NOT_AN_OBJECT,
    /** A tensor, or a field of a tensor, is there twice. */
    DUPLICATE_KEY,
    /** {@code __metadata__} is no map of strings to strings. */
    BAD_METADATA,
    /** An entry is no object, or a field is missing or of the wrong type. */
    BAD_ENTRY,
    UNKNOWN_DTYPE,
    /** An extent that is negative, fractional or past 2^63. */
    BAD_SHAPE,
    /** Offsets that are negative, fractional, not two, or end before they begin. */
    BAD_OFFSETS,
    /** The shape's bytes and the offsets disagree. */
    SIZE_MISMATCH,
    /** The shape has more bytes than 2^63. */
    SIZE_OVERFLOW,
    /** A tensor of a type of less than a byte that ends inside a byte. */
    PARTIAL_BYTE,
    OVERLAP,
    HOLE,
    /** A tensor ends after the file. */
    PAST_END,
    /** Bytes after the last tensor. */
    TRAILING_BYTES,
    TOO_MANY_TENSORS,
    NAME_TOO_LONG,
    /** No tensor of that name. */
    NO_SUCH_TENSOR,
    /** Size or time of the file changed while it was open. */
    CHANGED,
    /** The index is not the JSON object that it should be. */
    INDEX_BAD_JSON,
    INDEX_DUPLICATE_KEY,
    /** The index has no weight_map, or one that is no map of strings to strings. */
    INDEX_BAD_MAP,
    /** A shard name with a path in it. */
    INDEX_PATH_IN_NAME,
    INDEX_MISSING_SHARD,
    /** A tensor that the index promises is not in its shard. */
    INDEX_TENSOR_ABSENT,
    /** A numbered shard lies in the directory that the index does not name. */
    INDEX_STALE_SHARD,
    /** No safetensors file, or several without an index. */
    NO_CHECKPOINT,
    AMBIGUOUS_CHECKPOINT,
    /** A NaN or an infinity was about to be written. */
    NON_FINITE,
    /** Writing failed: disk full, no permission. */
    UNWRITABLE
}
