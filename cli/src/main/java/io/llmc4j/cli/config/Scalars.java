package io.llmc4j.cli.config;

import java.math.BigDecimal;
import java.util.Optional;

/** What a scalar means to who asks: LLMC's files are YAML 1.1, with the exceptions that the reference names (1e-6 is a number). */
final class Scalars {

    private Scalars() {
    }

    static Optional<Boolean> bool(Yaml v) {
        if (!(v instanceof Yaml.Scalar s) || !s.plain()) {
            return Optional.empty();
        }
        return switch (s.text()) {
            case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON" -> Optional.of(true);
            case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF" -> Optional.of(false);
            default -> Optional.empty();
        };
    }

    static Optional<Integer> integer(Yaml v) {
        if (!(v instanceof Yaml.Scalar s) || !s.plain() || !s.text().matches("[-+]?(0|[1-9][0-9_]*)")) {
            return Optional.empty();
        }
        try {
            return Optional.of(Integer.parseInt(s.text().replace("_", "")));
        } catch (NumberFormatException e) {
            return Optional.empty();
        }
    }

    /** Decimal, with or without exponent; inf and its kin. */
    static Optional<Double> number(Yaml v) {
        if (!(v instanceof Yaml.Scalar s)) {
            return Optional.empty();
        }
        switch (s.text()) {
            case "inf", ".inf", ".Inf", "+.inf":
                return Optional.of(Double.POSITIVE_INFINITY);
            case "-inf", "-.inf":
                return Optional.of(Double.NEGATIVE_INFINITY);
            default:
                break;
        }
        if (!s.plain() || s.text().length() > 40 || !s.text().matches("[-+]?([0-9][0-9_]*\\.?[0-9_]*|\\.[0-9][0-9_]*)([eE][-+]?[0-9]{1,4})?")) {
            return Optional.empty();
        }
        return Optional.of(new BigDecimal(s.text().replace("_", "")).doubleValue());
    }
}
