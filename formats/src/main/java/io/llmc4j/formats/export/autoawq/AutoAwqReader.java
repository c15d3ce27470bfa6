package io.llmc4j.formats.export.autoawq;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.export.CodecReader;
import io.llmc4j.formats.export.WeightCodec;
import io.llmc4j.formats.hf.StoredModule;
import java.util.List;
import java.util.Optional;

/** Reads the modules of an AutoAWQ model (version gemm, 4 bits). */
public final class AutoAwqReader extends CodecReader {

    private final AwqGemm codec = new AwqGemm();
    private final int groupSize;

    public AutoAwqReader(JsonNode config) {
        super(List.of("qweight", "qzeros", "scales"), List.of());
        groupSize = config.path("group_size").asInt(config.path("q_group_size").asInt(128));
        int bits = config.path("bits").asInt(config.path("w_bit").asInt(4));
        String version = config.path("version").asText("gemm").toLowerCase(java.util.Locale.ROOT);
        if (bits != 4 || !version.equals("gemm")) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "quantization_config: AutoAWQ with %d bits and version '%s'; read here: 4 bits, version gemm",
                    bits, version);
        }
    }

    @Override
    public boolean holds(StoredModule m) {
        return m.find("qweight").isPresent();
    }

    @Override
    public Optional<String> contradiction(StoredModule m) {
        return groups(m, groupSize);
    }

    @Override
    protected WeightCodec codec(StoredModule m) {
        return codec;
    }
}
