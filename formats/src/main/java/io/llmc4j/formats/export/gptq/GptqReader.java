package io.llmc4j.formats.export.gptq;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.export.CodecReader;
import io.llmc4j.formats.export.WeightCodec;
import io.llmc4j.formats.hf.StoredModule;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/** Reads the modules of a GPTQ model, version 1 or 2, with overrides of single modules ({@code dynamic}). */
public final class GptqReader extends CodecReader {

    private final JsonNode config;
    private final boolean offByOne;

    public GptqReader(JsonNode config) {
        super(List.of("qweight", "qzeros", "scales", "g_idx"), List.of());
        this.config = config;
        String format = config.path("checkpoint_format").asText(config.path("format").asText("gptq"));
        if (!List.of("gptq", "gptq_v2").contains(format)) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "quantization_config: GPTQ checkpoint_format '%s'; read here: gptq, gptq_v2", format);
        }
        offByOne = format.equals("gptq");
    }

    @Override
    public boolean holds(StoredModule m) {
        return m.find("qweight").isPresent();
    }

    @Override
    protected WeightCodec codec(StoredModule m) {
        JsonNode own = override(m.name());
        int bits = own.path("bits").asInt(config.path("bits").asInt(4));
        if (bits != 2 && bits != 3 && bits != 4 && bits != 8) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "%s: GPTQ with %d bits; read here: 2, 3, 4 and 8", m.name(), bits);
        }
        return new GptqCodec(bits, own.path("sym").asBoolean(config.path("sym").asBoolean(true)), offByOne);
    }

    @Override
    public Optional<String> contradiction(StoredModule m) {
        return groups(m, override(m.name()).path("group_size").asInt(config.path("group_size").asInt(128)));
    }

    /** {@code dynamic}: the first expression that matches; "+:" before it, or nothing, sets, "-:" leaves the module float. */
    private JsonNode override(String module) {
        for (Map.Entry<String, JsonNode> e : config.path("dynamic").properties()) {
            String expression = e.getKey().startsWith("+:") ? e.getKey().substring(2) : e.getKey();
            try {
                if (!expression.startsWith("-:") && Pattern.compile(expression).matcher(module).lookingAt()) {
                    return e.getValue();
                }
            } catch (PatternSyntaxException x) {
                throw new BadInput(BadInput.Common.FORMAT, "quantization_config: dynamic '" + expression + "' is not a regular expression: " + x.getDescription(), x);
            }
        }
        return config.path("nothing");
    }
}
