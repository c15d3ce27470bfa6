package io.llmc4j.formats.export;

import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.formats.hf.HfModel;
import java.nio.file.Path;
import java.util.Map;

/** A format that is a Hugging Face directory: config.json, safetensors, and tensors of its own for each quantized module. */
public interface ModuleFormat extends ExportFormat, java.io.Serializable {

    /** Writes the modules of one directory. {@code modelType} is the type of the model's float tensors. */
    ModuleWriter writer(DType modelType);

    /** Metadata of each weight file. */
    default Map<String, String> metadata() {
        return Map.of("format", "pt");
    }

    @Override
    default ModelSink open(HfModel source, Path target, long maxShardBytes, boolean overwrite) {
        return new ModelDirectorySink(source, this, target, maxShardBytes, overwrite);
    }
}
