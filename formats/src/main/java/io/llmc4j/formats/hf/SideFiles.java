package io.llmc4j.formats.hf;

import java.nio.file.Path;

/** Which files of a model directory are neither its weights nor its config.json. */
final class SideFiles {

    private SideFiles() {
    }

    static boolean isWeightOrConfig(Path relative) {
        String name = relative.getFileName().toString();
        boolean hidden = false;
        for (Path part : relative) {
            hidden |= part.toString().startsWith(".");
        }
        return hidden || relative.toString().equals("config.json") || name.endsWith(".safetensors") || name.endsWith(".safetensors.index.json")
                || name.endsWith(".bin") || name.endsWith(".bin.index.json") || name.endsWith(".pt") || name.endsWith(".pth") || name.endsWith(".gguf")
                || name.endsWith(".h5") || name.endsWith(".msgpack") || name.endsWith(".onnx");
    }
}
