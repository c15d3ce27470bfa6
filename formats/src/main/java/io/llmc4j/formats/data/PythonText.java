package io.llmc4j.formats.data;

/** Python's idea of white space where a sampler's result depends on it. */
final class PythonText {

    private PythonText() {
    }

    /** {@code str.strip()}. */
    static String strip(String s) {
        int from = 0;
        int to = s.length();
        while (from < to && isSpace(s.charAt(from))) {
            from++;
        }
        while (to > from && isSpace(s.charAt(to - 1))) {
            to--;
        }
        return s.substring(from, to);
    }

    /** {@code str.isspace()} of one character: Unicode's white space and the four ASCII separators. */
    private static boolean isSpace(char c) {
        return c >= 9 && c <= 13 || c >= 28 && c <= 32 || c == 0x85 || c == 0xa0 || c == 0x1680 || c >= 0x2000 && c <= 0x200a
                || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
    }
}
