package io.llmc4j.cli.config;

/**
 * Where something stands.
 *
 * @param source name of the file, or "--set key=value"
 * @param line   from 1; 0 when the source has no lines
 * @param column from 1
 */
public record Mark(String source, int line, int column) {

    public static Mark of(String source) {
        return new Mark(source, 0, 0);
    }

    /** "awq.yml:31:9". */
    @Override
    public String toString() {
        return line == 0 ? source : source + ":" + line + ":" + column;
    }
}
