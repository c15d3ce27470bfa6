package io.llmc4j.cli.config;

import io.llmc4j.engine.BadInput;
import java.util.ArrayList;
import java.util.List;

/** Collects what is wrong (errors) and what the user should know (notices), so that all of it can be told at once. */
public final class Problems {

    private record Entry(Mark mark, String text) {
        @Override
        public String toString() {
            return mark + ": " + text;
        }
    }

    private final List<Entry> errors = new ArrayList<>();
    private final List<Entry> notices = new ArrayList<>();

    public void error(Mark mark, String format, Object... args) {
        errors.add(new Entry(mark, text(format, args)));
    }

    public void notice(Mark mark, String format, Object... args) {
        notices.add(new Entry(mark, text(format, args)));
    }

    private static String text(String format, Object... args) {
        return args.length == 0 ? format : String.format(java.util.Locale.ROOT, format, args);
    }

    /** The notices, in the order of the file. */
    public List<String> notices() {
        return ordered(notices);
    }

    public List<String> errors() {
        return ordered(errors);
    }

    public boolean none() {
        return errors.isEmpty();
    }

    /** Throws BadInput (CONFIG) with every error, one a line, in the order of the file. */
    public void throwIfAny() {
        if (!errors.isEmpty()) {
            throw new BadInput(BadInput.Common.CONFIG, String.join("\n", errors()));
        }
    }

    private static List<String> ordered(List<Entry> entries) {
        return entries.stream()
                .sorted(java.util.Comparator.comparing((Entry e) -> e.mark().source()).thenComparing(e -> e.mark().line()).thenComparing(e -> e.mark().column()))
                .map(Entry::toString).distinct().toList();
    }
}
