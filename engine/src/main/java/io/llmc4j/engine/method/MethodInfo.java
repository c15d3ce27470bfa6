package io.llmc4j.engine.method;

/**
 * What there is to say about a method.
 *
 * @param summary one sentence
 * @param paper   "arXiv 2210.17323", or "" when there is none
 * @param data    whether it needs calibration data
 */
public record MethodInfo(String summary, String paper, Data data) {

    public enum Data {
        /** Works on the weights alone. */
        NONE,
        /** Only static activations need calibration. */
        STATIC_ACTIVATIONS,
        ALWAYS
    }
}
