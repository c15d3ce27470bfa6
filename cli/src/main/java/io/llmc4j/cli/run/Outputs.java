package io.llmc4j.cli.run;

import io.llmc4j.cli.config.LlmcConfig;
import io.llmc4j.cli.config.Nearest;
import io.llmc4j.cli.config.Problems;
import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.export.ExportFormat;
import io.llmc4j.formats.export.Exports;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Which formats a run writes, and where. */
public final class Outputs {

    /** Other names that people, or LLMC's flags, know a format by. */
    private static final Map<String, String> ALIASES = Map.of("sgl", "sglang", "awq", "autoawq", "mlc-llm", "mlcllm", "mlc", "mlcllm", "compressed_tensors",
            "compressed-tensors", "transformed", "trans", "float", "trans", "fake_quant", "fake", "fake-quant", "fake");

    /** @param directory of this format alone */
    public record Target(ExportFormat format, Path directory) { }

    private Outputs() {
    }

    /** The formats that can be written. */
    public static List<String> names() {
        return Exports.all().stream().map(ExportFormat::name).toList();
    }

    private static Optional<ExportFormat> find(String name) {
        return Exports.find(ALIASES.getOrDefault(name, name));
    }

    /** By its name or another that people use; throws BadInput (USAGE) for one that is not there. */
    public static ExportFormat named(String name) {
        return find(name).orElseThrow(() -> BadInput.of(BadInput.Common.USAGE, "--export '%s' is unknown; formats are %s%s", name, String.join(", ", names()),
                Nearest.hint(name, names())));
    }

    /** One target for each save_* flag, in LLMC's sub-directories of save_path; throws BadInput (CONFIG) naming every flag whose format is not here. */
    public static List<Target> of(LlmcConfig config) {
        List<Target> targets = new ArrayList<>();
        Problems problems = new Problems();
        config.save().targets().forEach((flag, mark) -> find(flag).ifPresentOrElse(
                f -> targets.add(new Target(f, Path.of(config.save().path()).resolve(f.directory()))),
                () -> problems.error(mark, "save.save_%s: this format is not here; there are %s", flag, String.join(", ", names()))));
        problems.throwIfAny();
        return targets;
    }
}
