package io.llmc4j.formats.export.gguf;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.zip.CRC32C;

/** A written model read back by the reader and held against what was encoded. */
final class GgufCheck {

    private static final int CHUNK = 1 << 24;

    private GgufCheck() {
    }

    static List<String> differences(Path first, List<TensorEncoder.Encoded> encoded, GgufPlan plan) {
        List<String> out = new ArrayList<>();
        try (GgufModelFiles files = GgufModelFiles.open(first)) {
            Set<String> unexpected = new HashSet<>(files.tensors().keySet());
            for (TensorEncoder.Encoded e : encoded) {
                unexpected.remove(e.name());
                // what was read before leaves the memory, so that the peak does not grow with the model
                files.release();
                GgufModelFiles.Located l = files.tensors().get(e.name());
                if (l == null) {
                    out.add(e.name() + " is missing in the file");
                } else if (l.info().type() != e.type() || !l.info().shape().equals(e.shape())) {
                    out.add(e.name() + " is " + l.info().type() + l.info().shape() + " in the file, " + e.type() + e.shape() + " was written");
                } else if (checksum(l) != e.checksum()) {
                    out.add(e.name() + " has other bytes in the file than were written");
                }
            }
            unexpected.forEach(n -> out.add(n + " is in the file and was not written"));
            plan.metadata().values().forEach((key, value) -> {
                if (!value.equals(files.metadata().values().get(key))) {
                    out.add("the metadata " + key + " is another in the file than was written");
                }
            });
        }
        return out;
    }

    private static long checksum(GgufModelFiles.Located l) {
        CRC32C crc = new CRC32C();
        java.lang.foreign.MemorySegment bytes = l.file().bytes(l.info());
        for (long at = 0; at < bytes.byteSize(); at += CHUNK) {
            crc.update(bytes.asSlice(at, Math.min(CHUNK, bytes.byteSize() - at)).asByteBuffer());
        }
        return crc.getValue();
    }
}
