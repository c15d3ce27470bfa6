package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import java.util.List;
import java.util.Locale;

/** The only list of methods. */
public final class Methods {

    private static final List<Method> ALL = List.of(
            new Rtn(),
            new OsPlus(),
            new Hqq(),
            new Spqr(),
            new AdaDim(),
            new Quik(),
            new LlmInt8(),
            new Dgq(),
            new Magnitude(),
            new Wanda(),
            new ShortGpt(),
            new Awq(),
            new SmoothQuant(),
            new Gptq(false),
            new Gptq(true),
            new NormTweaking(),
            new OmniQuant(),
            new TesseraQ(),
            new Quarot(),
            new SpinQuant());

    private Methods() {
    }

    public static List<Method> all() {
        return ALL;
    }

    /** By name, in any case. Throws BadInput (NOT_SUPPORTED) with the names that there are. */
    public static Method named(String name) {
        return ALL.stream().filter(m -> m.name().toLowerCase(Locale.ROOT).equals(name.toLowerCase(Locale.ROOT))).findFirst()
                .orElseThrow(() -> BadInput.of(BadInput.Common.NOT_SUPPORTED, "method '%s' is not there; there are %s", name,
                        String.join(", ", ALL.stream().map(Method::name).toList())));
    }
}
