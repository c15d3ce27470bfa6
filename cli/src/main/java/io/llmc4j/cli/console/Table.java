package io.llmc4j.cli.console;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/** Plain columns, two spaces apart. Columns named with a leading '>' are set flush right. */
public final class Table {

    private final List<String[]> rows = new ArrayList<>();
    private final boolean[] right;

    public Table(String... headings) {
        right = new boolean[headings.length];
        String[] head = new String[headings.length];
        for (int i = 0; i < headings.length; i++) {
            right[i] = headings[i].startsWith(">");
            head[i] = right[i] ? headings[i].substring(1) : headings[i];
        }
        rows.add(head);
    }

    public Table row(Object... cells) {
        String[] row = new String[right.length];
        for (int i = 0; i < row.length; i++) {
            row[i] = i < cells.length ? String.valueOf(cells[i]) : "";
        }
        rows.add(row);
        return this;
    }

    public void print(PrintWriter out) {
        int[] width = new int[right.length];
        for (String[] row : rows) {
            for (int i = 0; i < row.length; i++) {
                width[i] = Math.max(width[i], row[i].length());
            }
        }
        for (String[] row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < row.length; i++) {
                String pad = " ".repeat(width[i] - row[i].length());
                line.append(i == 0 ? "" : "  ").append(right[i] ? pad + row[i] : row[i] + pad);
            }
            out.println(line.toString().stripTrailing());
        }
        out.flush();
    }
}
