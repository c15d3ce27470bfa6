package io.llmc4j.formats.export.gguf.vocab;

/**
 * One entry of a GGUF vocabulary.
 *
 * @param score SentencePiece's; 0 elsewhere
 */
record Token(String text, float score, Type type) {

    /** By number in the file, from 1. */
    enum Type {
        NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE;

        int id() {
            return ordinal() + 1;
        }
    }

    /** What stands for an id that the tokenizer does not have. */
    static Token padding(int id) {
        return new Token("[PAD" + id + "]", -10000f, Type.UNUSED);
    }
}
