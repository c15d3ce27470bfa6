package io.llmc4j.formats.export.gguf;

import io.llmc4j.engine.BadInput;

/** The ways in which a GGUF file can be wrong. */
public enum GgufError implements BadInput.Kind {
    /** The magic bytes are missing. */
    NOT_GGUF,
    /** A version that is not 2 or 3, or big-endian numbers. */
    VERSION,
    /** The file ends inside something. */
    TRUNCATED,
    /** A count or length beyond what the file can hold or what is allowed. */
    LIMIT,
    /** A key or tensor name twice. */
    DUPLICATE,
    /** An unknown value type or tensor type. */
    TYPE,
    /** Bytes that are not UTF-8. */
    TEXT,
    /** Extents that are negative, too many, overflow, or no whole blocks. */
    SHAPE,
    /** An alignment that is not a power of two, or an offset that is not where the tensor must begin. */
    OFFSET,
    /** A key that is missing or holds something else. */
    METADATA,
    /** A tensor that a model needs is missing, or one is there that it does not know. */
    TENSOR,
    /** A part of a split model is missing or does not belong to it. */
    SPLIT
}
