package io.llmc4j.engine.method;

import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.quant.ClipFactors;
import io.llmc4j.engine.quant.Quantizer;
import java.util.Optional;

/** Clip factors from an earlier run's {@code clips.safetensors}; layers that it did not clip have none. */
final class LoadedClips implements AutoCloseable {

    private final Optional<SavedVectors> file;

    /** @param path of {@code clip_path}; empty: no layer has factors */
    LoadedClips(Optional<String> path) {
        this.file = path.map(p -> SavedVectors.open("clip_path", p, "clips"));
    }

    Optional<ClipFactors> factors(BlockWork work, Linear layer, Quantizer quantizer) {
        String name = work.fullName(layer);
        if (file.isEmpty() || file.get().find(name + ".upbound_factor").isEmpty()) {
            return Optional.empty();
        }
        int ranges = quantizer.layout(layer.out(), layer.in()).ranges();
        float[] upper = file.get().get(name + ".upbound_factor", ranges);
        float[] lower = quantizer.scheme().symmetric() ? new float[0] : file.get().get(name + ".lowbound_factor", ranges);
        return Optional.of(new ClipFactors(upper, lower));
    }

    @Override
    public void close() {
        file.ifPresent(SavedVectors::close);
    }
}
