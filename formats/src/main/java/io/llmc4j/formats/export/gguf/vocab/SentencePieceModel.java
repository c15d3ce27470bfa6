package io.llmc4j.formats.export.gguf.vocab;

import io.llmc4j.engine.BadInput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A SentencePiece file (tokenizer.model), a protocol buffer: pieces with score and type, and the two normalizer flags that GGUF has keys
 * for. Field numbers are those of sentencepiece_model.proto.
 */
record SentencePieceModel(List<Token> pieces, boolean bpe, boolean dummyPrefix, boolean removeExtraSpaces) {

    private static final int PIECES = 1;
    private static final int TRAINER = 2;
    private static final int NORMALIZER = 3;

    static SentencePieceModel read(Path file) {
        try {
            return new Reader(ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN)).model();
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.MODEL, "cannot read " + file + ": " + e.getMessage(), e);
        } catch (IllegalArgumentException | java.nio.BufferUnderflowException e) {
            throw new BadInput(BadInput.Common.MODEL, file + " is no SentencePiece model: " + e.getMessage(), e);
        }
    }

    private static final class Reader {

        private final ByteBuffer in;
        private final List<Token> pieces = new ArrayList<>();
        private int modelType = 1;
        private boolean dummyPrefix = true;
        private boolean removeExtraSpaces = true;

        Reader(ByteBuffer in) {
            this.in = in;
        }

        SentencePieceModel model() {
            while (in.hasRemaining()) {
                int tag = (int) varint(in);
                ByteBuffer field = field(in, tag);
                switch (tag >>> 3) {
                    case PIECES -> pieces.add(piece(field));
                    case TRAINER -> trainer(field);
                    case NORMALIZER -> normalizer(field);
                    default -> { }
                }
            }
            return new SentencePieceModel(pieces, modelType == 2, dummyPrefix, removeExtraSpaces);
        }

        private static Token piece(ByteBuffer in) {
            String text = "";
            float score = 0f;
            Token.Type type = Token.Type.NORMAL;
            while (in.hasRemaining()) {
                int tag = (int) varint(in);
                switch (tag >>> 3) {
                    case 1 -> text = StandardCharsets.UTF_8.decode(field(in, tag)).toString();
                    case 2 -> score = field(in, tag).getFloat();
                    case 3 -> type = type((int) varint(field(in, tag)));
                    default -> field(in, tag);
                }
            }
            return new Token(text, score, type);
        }

        private static Token.Type type(int id) {
            if (id < 1 || id > Token.Type.values().length) {
                throw new IllegalArgumentException("piece type " + id);
            }
            return Token.Type.values()[id - 1];
        }

        private void trainer(ByteBuffer in) {
            while (in.hasRemaining()) {
                int tag = (int) varint(in);
                ByteBuffer value = field(in, tag);
                if (tag >>> 3 == 3) {
                    modelType = (int) varint(value);
                }
            }
        }

        private void normalizer(ByteBuffer in) {
            while (in.hasRemaining()) {
                int tag = (int) varint(in);
                ByteBuffer value = field(in, tag);
                if (tag >>> 3 == 3) {
                    dummyPrefix = varint(value) != 0;
                } else if (tag >>> 3 == 4) {
                    removeExtraSpaces = varint(value) != 0;
                }
            }
        }

        /** The bytes of a field; the buffer moves behind it. */
        private static ByteBuffer field(ByteBuffer in, int tag) {
            int length = switch (tag & 7) {
                case 0 -> varintLength(in);
                case 1 -> 8;
                case 2 -> {
                    long n = varint(in);
                    if (n < 0 || n > in.remaining()) {
                        throw new IllegalArgumentException("a field of " + n + " bytes where " + in.remaining() + " are left");
                    }
                    yield (int) n;
                }
                case 5 -> 4;
                default -> throw new IllegalArgumentException("wire type " + (tag & 7));
            };
            if (length > in.remaining()) {
                throw new IllegalArgumentException("the file ends inside a field");
            }
            ByteBuffer field = in.slice(in.position(), length).order(ByteOrder.LITTLE_ENDIAN);
            in.position(in.position() + length);
            return field;
        }

        private static int varintLength(ByteBuffer in) {
            int n = 1;
            while (n < 10 && in.get(in.position() + n - 1) < 0 && n < in.remaining()) {
                n++;
            }
            return n;
        }

        private static long varint(ByteBuffer in) {
            long v = 0;
            for (int shift = 0; shift < 64; shift += 7) {
                byte b = in.get();
                v |= (b & 0x7fL) << shift;
                if (b >= 0) {
                    return v;
                }
            }
            throw new IllegalArgumentException("a number of more than ten bytes");
        }
    }
}
