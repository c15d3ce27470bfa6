package io.llmc4j.cli.console;

import java.io.PrintWriter;

/**
 * How far a run is. On a terminal one line that is rewritten, with an estimate of what is left; elsewhere plain lines, one a step.
 *
 * <p>A step is a share of the whole work, weighted by who starts it; the estimate supposes that what is left goes as fast as what is done.
 */
public final class Progress {

    private static final String TERMINAL = "llmc4j.terminal";
    private static final long REDRAW_NANOS = 100_000_000L;

    private final PrintWriter out;
    private final boolean terminal;
    private final long start = System.nanoTime();
    private double total = 1;
    private double done;
    private long drawn;
    private int width;

    public Progress(PrintWriter out, boolean terminal) {
        this.out = out;
        this.terminal = terminal;
    }

    /** The launcher knows whether standard error is a terminal. */
    public static Progress of(PrintWriter err) {
        return new Progress(err, Boolean.getBoolean(TERMINAL));
    }

    /** Work of the whole run, in any unit. */
    public void total(double work) {
        total = work;
    }

    /** Work that is done now, {@code what} goes on next. */
    public synchronized void at(double work, String what) {
        done = Math.min(work, total);
        if (terminal) {
            draw(what, false);
        }
    }

    /** A step that is worth a line of its own where lines cannot be rewritten. */
    public synchronized void step(double work, String what) {
        done = Math.min(work, total);
        if (terminal) {
            draw(what, true);
        } else {
            out.println(line(what));
            out.flush();
        }
    }

    /** Something to say that stays. */
    public synchronized void say(String text) {
        clear();
        out.println(text);
        out.flush();
    }

    /** Takes the moving line away. */
    public synchronized void clear() {
        if (width > 0) {
            out.print("\r" + " ".repeat(width) + "\r");
            out.flush();
            width = 0;
        }
    }

    public double seconds() {
        return (System.nanoTime() - start) * 1e-9;
    }

    private void draw(String what, boolean always) {
        long now = System.nanoTime();
        if (!always && now - drawn < REDRAW_NANOS) {
            return;
        }
        drawn = now;
        String text = line(what);
        out.print("\r" + text + " ".repeat(Math.max(0, width - text.length())));
        out.flush();
        width = text.length();
    }

    private String line(String what) {
        double share = total <= 0 ? 1 : done / total;
        String left = share > 0.02 && share < 1 ? ", about " + Text.duration(seconds() * (1 - share) / share) + " left" : "";
        return String.format(java.util.Locale.ROOT, "%3.0f %%  %s (%s%s)", 100 * share, what, Text.duration(seconds()), left);
    }
}
