package io.llmc4j.formats.export.compressedtensors;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.StaticKvCache;
import io.llmc4j.engine.pipeline.KvCacheScheme;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.ScaleFormat;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.formats.export.CodesWriter;
import io.llmc4j.formats.export.ModuleToWrite;
import io.llmc4j.formats.export.fp8.Fp8Writer;
import java.lang.foreign.Arena;
import java.util.Map;
import java.util.Optional;

/**
 * LLMC's dialect: FP8 with blocks, or with one scale a tensor and static activations, by the fp8 method; all else in compressed-tensors.
 * A model has one quantization method, so the two do not mix.
 */
final class ServerWriter extends CodesWriter {

    private Optional<Fp8Writer> fp8 = Optional.empty();
    private Optional<CompressedTensorsWriter> general = Optional.empty();

    static boolean byFp8(QuantScheme weight, Optional<QuantScheme> inputs) {
        boolean e4m3 = weight.format() instanceof NumberFormat.Float f && f.label().equals("e4m3") && weight.scaleFormat() == ScaleFormat.FLOAT;
        Granularity.Kind kind = weight.granularity().kind();
        return e4m3 && (kind == Granularity.Kind.PER_BLOCK || kind == Granularity.Kind.PER_TENSOR && inputs.map(QuantScheme::isStatic).orElse(false));
    }

    @Override
    protected Coded encode(ModuleToWrite m, Arena arena) {
        boolean wantsFp8 = byFp8(m.weightScheme().orElseThrow(), m.activationScheme());
        if (wantsFp8 ? general.isPresent() : fp8.isPresent()) {
            throw BadInput.of(BadInput.Common.FORMAT, "%s: FP8 with blocks or static activations cannot be mixed with other schemes in one model; "
                    + "--export compressed-tensors can", m.name());
        }
        if (wantsFp8) {
            if (fp8.isEmpty()) {
                fp8 = Optional.of(new Fp8Writer());
            }
            return fp8.get().encode(m, arena);
        }
        if (general.isEmpty()) {
            general = Optional.of(new CompressedTensorsWriter());
        }
        return general.get().encode(m, arena);
    }

    @Override
    public Map<String, Tensor> cache(KvCacheScheme scheme, StaticKvCache.Params params, Arena arena) {
        if (fp8.isPresent()) {
            throw BadInput.of(BadInput.Common.FORMAT, "scales of keys and values are not written beside FP8 with blocks or static activations for this server; "
                    + "--export compressed-tensors holds them");
        }
        if (general.isEmpty()) {
            general = Optional.of(new CompressedTensorsWriter());
        }
        return general.get().cache(scheme, params, arena);
    }

    @Override
    public void describe(ObjectNode config, String head) {
        if (fp8.isPresent()) {
            fp8.get().describe(config, head, floats());
        } else {
            general.orElseGet(CompressedTensorsWriter::new).describe(config, head, floats());
        }
    }
}
