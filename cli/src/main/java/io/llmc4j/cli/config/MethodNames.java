package io.llmc4j.cli.config;

import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** The methods by LLMC's names. The command line takes them in any case and by their papers' spellings. */
public final class MethodNames {

    private static final List<String> ALL = List.of("RTN", "Awq", "GPTQ", "SmoothQuant", "OsPlus", "OmniQuant", "TesseraQ", "HQQ", "SpQR", "DGQ", "QUIK",
            "LlmInt8", "NormTweaking", "AdaDim", "Quarot", "SpinQuant", "OWQ");

    private static final List<String> PRUNING = List.of("Magnitude", "Wanda", "ShortGPT");

    private MethodNames() {
    }

    public static List<String> all() {
        return ALL;
    }

    /** Those that remove weights; a configuration names them under sparse. */
    public static List<String> pruning() {
        return PRUNING;
    }

    /** "awq", "AWQ", "os+", "llm.int8", "norm-tweaking" to LLMC's name. */
    public static Optional<String> resolve(String name) {
        String plain = plain(name);
        return ALL.stream().filter(m -> plain(m).equals(plain)).findFirst();
    }

    private static String plain(String name) {
        String p = name.toLowerCase(Locale.ROOT).replace("os+", "osplus").replaceAll("[-_. ()]", "");
        return p.equals("ntweak") ? "normtweaking" : p.equals("omniq") ? "omniquant" : p;
    }
}
