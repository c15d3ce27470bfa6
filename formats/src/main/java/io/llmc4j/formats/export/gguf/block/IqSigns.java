package io.llmc4j.formats.export.gguf.block;

/** Signs of eight values in seven bits: the eighth makes the number of minuses even. */
final class IqSigns {

    private IqSigns() {
    }

    /** All eight bits. */
    static int complete(int seven) {
        return seven | (Integer.bitCount(seven) & 1) << 7;
    }

    static float apply(float v, int signs, int i) {
        return (signs >> i & 1) == 1 ? -v : v;
    }
}
