package io.llmc4j.cli.report;

import io.llmc4j.formats.audit.LayerAudit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The charts of an audit page as inline SVG: error by layer, error by kind of layer, difference of hidden states by block. */
final class AuditCharts {

    /** Colours that people with the usual kinds of colour blindness tell apart (Okabe and Ito), dark enough on white. */
    private static final List<String> COLOURS = List.of("#0072b2", "#d55e00", "#009e73", "#a3468a", "#8a6d00", "#3a8fc0", "#555555");
    private static final int WIDTH = 900;
    private static final int LEFT = 56;
    private static final int RIGHT = 16;

    private AuditCharts() {
    }

    /** Layers in a stable order by kind. */
    static Map<String, List<LayerAudit>> byKind(List<LayerAudit> layers) {
        Map<String, List<LayerAudit>> kinds = new LinkedHashMap<>();
        layers.forEach(l -> kinds.computeIfAbsent(l.kind(), k -> new ArrayList<>()).add(l));
        return kinds;
    }

    /** What is drawn of an infinite or absent ratio. */
    private static double drawn(double snr) {
        return Double.isNaN(snr) ? -10 : Math.max(-10, Math.min(120, snr));
    }

    /** Signal-to-noise of every layer: blocks to the right, one line a kind; faults are ringed. */
    static String byLayer(List<LayerAudit> layers) {
        int blocks = layers.stream().mapToInt(LayerAudit::block).max().orElse(0) + 1;
        double low = layers.stream().mapToDouble(l -> drawn(l.error().snr())).min().orElse(0);
        double high = layers.stream().mapToDouble(l -> drawn(l.error().snr())).max().orElse(1);
        double step = high - low > 60 ? 20 : high - low > 24 ? 10 : high - low > 9 ? 5 : 2;
        low = Math.floor(low / step) * step;
        high = Math.max(low + step, Math.ceil(high / step) * step);
        Frame f = new Frame(300, low, high, blocks);
        StringBuilder s = f.open("Signal-to-noise ratio of every layer, in decibels, by block");
        for (double y = low; y <= high + 1e-9; y += step) {
            f.grid(s, y, String.format(Locale.ROOT, "%.0f", y));
        }
        f.blocks(s);
        int colour = 0;
        for (Map.Entry<String, List<LayerAudit>> kind : byKind(layers).entrySet()) {
            String c = COLOURS.get(colour++ % COLOURS.size());
            boolean experts = kind.getValue().size() > blocks;
            if (!experts) {
                s.append("<polyline fill=\"none\" stroke=\"").append(c).append("\" stroke-width=\"1.5\" points=\"");
                kind.getValue().forEach(l -> s.append(point(f.x(l.block()), f.y(drawn(l.error().snr())))).append(' '));
                s.append("\"/>");
            }
            for (LayerAudit l : kind.getValue()) {
                double x = f.x(l.block());
                double y = f.y(drawn(l.error().snr()));
                s.append(String.format(Locale.ROOT, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"><title>%s: %s dB</title></circle>", x, y, c, Markup.escaped(l.name()),
                        AuditTable.decibels(l.error().snr())));
                if (!l.sound()) {
                    s.append(String.format(Locale.ROOT, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"7\" fill=\"none\" stroke=\"#b00020\" stroke-width=\"2\"/>", x, y));
                }
            }
        }
        return f.close(s) + legend(byKind(layers).keySet());
    }

    private static String legend(Iterable<String> kinds) {
        StringBuilder s = new StringBuilder("<p class=\"legend\">");
        int colour = 0;
        for (String k : kinds) {
            s.append("<span><i style=\"background:").append(COLOURS.get(colour++ % COLOURS.size())).append("\"></i>").append(Markup.escaped(k)).append("</span> ");
        }
        return s.append("</p>").toString();
    }

    /** Mean relative error of each kind as a bar, with a tick where plain rounding of the same weights would be. */
    static String byKindOfLayer(List<LayerAudit> layers) {
        Map<String, List<LayerAudit>> kinds = byKind(layers);
        double most = 0;
        for (List<LayerAudit> l : kinds.values()) {
            most = Math.max(most, Math.max(mean(l), plain(l)));
        }
        most = most == 0 ? 1 : most;
        int row = 26;
        int left = 150;
        int height = kinds.size() * row + 8;
        StringBuilder s = new StringBuilder(String.format(Locale.ROOT, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Mean relative error by kind of layer\">", WIDTH, height));
        double scale = (WIDTH - left - 130) / most;
        int y = 4;
        int colour = 0;
        for (Map.Entry<String, List<LayerAudit>> k : kinds.entrySet()) {
            double error = mean(k.getValue());
            double plain = plain(k.getValue());
            s.append(String.format(Locale.ROOT, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", left - 8, y + 16, Markup.escaped(k.getKey())));
            s.append(String.format(Locale.ROOT, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"16\" fill=\"%s\"/>", left, y + 3, error * scale,
                    COLOURS.get(colour++ % COLOURS.size())));
            if (plain > 0) {
                s.append(String.format(Locale.ROOT, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=\"#111\" stroke-width=\"2\"/>", left + plain * scale, left + plain * scale,
                        y, y + 22));
            }
            s.append(String.format(Locale.ROOT, "<text x=\"%.1f\" y=\"%d\">%.4f</text>", left + Math.max(error, plain) * scale + 8, y + 16, error));
            y += row;
        }
        return s.append("</svg>").toString();
    }

    private static double mean(List<LayerAudit> layers) {
        return layers.stream().mapToDouble(l -> finite(l.error().relative())).average().orElse(0);
    }

    private static double plain(List<LayerAudit> layers) {
        return layers.stream().filter(l -> l.plain().isPresent()).mapToDouble(l -> finite(l.plain().get())).average().orElse(0);
    }

    private static double finite(double v) {
        return Double.isFinite(v) ? v : 1;
    }

    /** Relative difference of the hidden states after each block; the block where they part is marked. */
    static String states(List<Double> errors, int parting) {
        double high = errors.stream().mapToDouble(AuditCharts::finite).max().orElse(1);
        double step = StrictMath.pow(10, Math.floor(Math.log10(Math.max(1e-9, high))));
        high = Math.max(step, Math.ceil(high / step) * step);
        Frame f = new Frame(220, 0, high, errors.size());
        StringBuilder s = f.open("Relative difference of the hidden states after each block");
        for (int i = 0; i <= 4; i++) {
            f.grid(s, high * i / 4, Text4.of(high * i / 4));
        }
        f.blocks(s);
        s.append("<polyline fill=\"none\" stroke=\"#0072b2\" stroke-width=\"2\" points=\"");
        for (int i = 0; i < errors.size(); i++) {
            s.append(point(f.x(i), f.y(finite(errors.get(i))))).append(' ');
        }
        s.append("\"/>");
        for (int i = 0; i < errors.size(); i++) {
            s.append(String.format(Locale.ROOT, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%d\" fill=\"%s\"><title>after block %d: %.5f</title></circle>", f.x(i), f.y(finite(errors.get(i))),
                    i == parting ? 6 : 3, i == parting ? "#b00020" : "#0072b2", i, errors.get(i)));
        }
        return f.close(s);
    }

    private static String point(double x, double y) {
        return String.format(Locale.ROOT, "%.1f,%.1f", x, y);
    }

    /** Numbers on an axis. */
    private static final class Text4 {
        static String of(double v) {
            return v == 0 ? "0" : v < 1e-3 ? String.format(Locale.ROOT, "%.1e", v) : String.format(Locale.ROOT, "%.3g", v);
        }
    }

    /** Axes of a chart over blocks. */
    private record Frame(int height, double low, double high, int blocks) {

        double x(int block) {
            double room = WIDTH - LEFT - RIGHT - 20;
            return LEFT + 10 + (blocks == 1 ? room / 2 : room * block / (blocks - 1));
        }

        double y(double v) {
            return 8 + (height - 44) * (1 - (v - low) / (high - low));
        }

        StringBuilder open(String label) {
            return new StringBuilder(String.format(Locale.ROOT, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">", WIDTH, height, label));
        }

        void grid(StringBuilder s, double v, String label) {
            s.append(String.format(Locale.ROOT, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>", LEFT, WIDTH - RIGHT, y(v), y(v)));
            s.append(String.format(Locale.ROOT, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>", LEFT - 8, y(v) + 4, label));
        }

        void blocks(StringBuilder s) {
            int every = Math.max(1, (blocks + 19) / 20);
            for (int i = 0; i < blocks; i += every) {
                s.append(String.format(Locale.ROOT, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%d</text>", x(i), height - 20, i));
            }
            s.append(String.format(Locale.ROOT, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" class=\"axis\">block</text>", (WIDTH + LEFT) / 2, height - 4));
        }

        String close(StringBuilder s) {
            return s.append("</svg>").toString();
        }
    }
}
