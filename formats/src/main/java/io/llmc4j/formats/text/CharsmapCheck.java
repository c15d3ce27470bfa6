package io.llmc4j.formats.text;

import io.llmc4j.engine.BadInput;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.function.IntPredicate;

/**
 * SentencePiece's table of replacements ({@code precompiled_charsmap}: the bytes of a trie, the trie as a double array of 32-bit units, texts that end with
 * 0), which the tokenizers library follows without a look at its bounds. Source: the double array of darts-clone and SentencePiece's normalizer.
 */
final class CharsmapCheck {

    /** A unit's children lie in the block of so many units that its offset leads to. */
    private static final int BLOCK = 256;

    private CharsmapCheck() {
    }

    /** Throws BAD_TOKENIZER. */
    static void check(String base64, String where) {
        String what = "";
        try {
            byte[] bytes = Base64.getDecoder().decode(base64);
            what = !Base64.getEncoder().encodeToString(bytes).equals(base64) ? "it is no base64 text" : fault(bytes);
        } catch (IllegalArgumentException e) {
            what = "it is no base64 text";
        }
        if (!what.isEmpty()) {
            throw BadInput.of(TokenizerError.BAD_TOKENIZER, "%s: precompiled_charsmap of a normalizer: %s", where, what);
        }
    }

    /** Empty where all is well. */
    private static String fault(byte[] bytes) {
        ByteBuffer b = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        long trie = bytes.length < 4 ? 0 : Integer.toUnsignedLong(b.getInt());
        if (trie == 0 || trie % (4 * BLOCK) != 0 || trie > b.remaining()) {
            return String.format("a trie of %d bytes in %d", trie, bytes.length);
        }
        int[] units = new int[(int) (trie / 4)];
        b.asIntBuffer().get(units);
        ByteBuffer texts = b.slice((int) (4 + trie), (int) (bytes.length - 4 - trie));
        try {
            StandardCharsets.UTF_8.newDecoder().decode(texts.duplicate());
        } catch (CharacterCodingException e) {
            return "its texts are no UTF-8";
        }
        IntPredicate starts = at -> at >= 0 && (at == texts.limit() || at < texts.limit() && (texts.get(at) & 0xc0) != 0x80);
        for (int i = 0; i < units.length; i++) {
            int unit = units[i];
            if (unit < 0 && i > 0) {
                // a value, whose place is known by the unit that leads to it; the first unit is followed whatever it is
                continue;
            }
            int child = i ^ (unit >>> 10 << ((unit & 1 << 9) >>> 6));
            if (child < 0 || child >= units.length) {
                return String.format("unit %d of its trie leads to %d of %d", i, child, units.length);
            }
            if ((unit & 1 << 8) != 0 && !starts.test(units[child] & Integer.MAX_VALUE)) {
                return String.format("unit %d of its trie leads to the text at %d of %d", i, units[child] & Integer.MAX_VALUE, texts.limit());
            }
        }
        return "";
    }
}
