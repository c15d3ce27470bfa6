package io.llmc4j.formats.export.gguf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.formats.export.gguf.arch.ArchDifferences;
import io.llmc4j.formats.export.gguf.arch.ArchReader;
import io.llmc4j.formats.export.gguf.arch.ArchWriter;
import io.llmc4j.formats.export.gguf.arch.GgufArch;
import io.llmc4j.formats.export.gguf.arch.PlannedShapes;
import io.llmc4j.formats.export.gguf.mix.FileType;
import io.llmc4j.formats.export.gguf.mix.QuantMix;
import io.llmc4j.formats.export.gguf.vocab.GgufVocabulary;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What is known of a file before the first block: its metadata, held against the architecture that a reader would make of it. */
public final class GgufPlan {

    private static final int QUANTIZATION_VERSION = 2;
    private static final int SEVENTY_BILLION_BLOCKS = 80;

    private final ModelSpec spec;
    private final ArchWriter writer;
    private final GgufMetadata metadata = new GgufMetadata();
    private final List<String> dropped;

    /** Throws BadInput naming everything of the architecture that llama.cpp would compute differently. */
    public GgufPlan(ModelSpec spec, GgufTarget target) {
        this.spec = spec;
        this.writer = new ArchWriter(spec);
        this.dropped = new ArrayList<>(writer.dropped());
        metadata.text("general.architecture", writer.arch().title());
        metadata.text("general.type", "model");
        metadata.text("general.name", target.name());
        metadata.u32("general.file_type", target.type().id());
        metadata.u32("general.quantization_version", QUANTIZATION_VERSION);
        writer.metadata().values().forEach(metadata::put);
        checkReadBack();
        if (target.tokenizer().isPresent()) {
            GgufVocabulary.write(target.tokenizer().get(), writer.arch().title(), spec.vocabularySize(), metadata);
        } else {
            metadata.text("tokenizer.ggml.model", "none");
        }
    }

    private void checkReadBack() {
        Map<String, float[]> rotary = writer.rotaryTensors();
        ArchReader reader = new ArchReader(metadata, new PlannedShapes(spec)::of, n -> rotary.getOrDefault(n, new float[0]));
        List<String> differences = ArchDifferences.of(writer.arch(), spec, reader.spec());
        if (!differences.isEmpty()) {
            throw BadInput.of(BadInput.Common.FORMAT, "GGUF: llama.cpp's architecture %s is not this model (family %s):\n  %s", writer.arch().title(),
                    spec.family(), String.join("\n  ", differences));
        }
    }

    public GgufArch arch() {
        return writer.arch();
    }

    /** Complete but for the norms' epsilon. */
    public GgufMetadata metadata() {
        return metadata;
    }

    /** What the file does not say, one sentence each. */
    public List<String> dropped() {
        return dropped;
    }

    Map<String, float[]> rotaryTensors() {
        return writer.rotaryTensors();
    }

    /** @param tied whether the file has no output tensor */
    QuantMix mix(FileType type, boolean tied, boolean importance) {
        AttentionSpec a = spec.layers().getFirst().attention();
        int keyHeads = a.latent().isPresent() ? 1 : a.kvHeads();
        boolean seventy = spec.blocks() == SEVENTY_BILLION_BLOCKS
                && (arch() == GgufArch.LLAMA && a.heads() != a.kvHeads() || arch() == GgufArch.QWEN2);
        int experts = spec.layers().stream().flatMap(l -> l.feedForward().experts().stream()).mapToInt(e -> e.count()).findFirst().orElse(0);
        return new QuantMix(type, new QuantMix.Facts(arch().title(), spec.blocks(), a.latent().isPresent() ? 0 : spec.blocks(), a.heads() / keyHeads,
                experts, seventy, tied), importance);
    }
}
