package io.llmc4j.engine.safetensors;

/**
 * @param allowNonFinite whether NaN and infinities may be written; they are refused otherwise, before the file appears
 */
public record WriterOptions(boolean allowNonFinite) {

    public static final WriterOptions STRICT = new WriterOptions(false);
}
