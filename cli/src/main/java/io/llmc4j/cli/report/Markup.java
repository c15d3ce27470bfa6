package io.llmc4j.cli.report;

/** Text inside HTML and SVG. */
final class Markup {

    private Markup() {
    }

    /** With the characters that mean something replaced. */
    static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }
}
