package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.families.FamilyModels;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.TensorStore;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Logits of the unchanged golden models, as LLMC's own environment computed them ({@code ref_logits} of the case rtn_w4_g). */
class ReferenceLogitsTest {

    @ParameterizedTest
    @ValueSource(strings = {"llama_g", "opt_g"})
    void logitsAgree(String name) throws IOException {
        Path model = Path.of(ReferenceLogitsTest.class.getClassLoader().getResource("golden/models/" + name + "/config.json").getPath()).getParent();
        try (InputStream in = ReferenceLogitsTest.class.getClassLoader().getResourceAsStream("golden/methods/" + name + "/rtn_w4_g.safetensors.gz");
             HfModel m = HfModel.of(HfConfig.read(model.resolve("config.json")),
                     TensorStore.of(SafetensorsFile.ofGzip(model.resolve("model.safetensors.gz")))); SafetensorsFile f = SafetensorsFile.of(new GZIPInputStream(in).readAllBytes(), name)) {
            Matrix want = Tensors.toMatrix(f.tensor("ref_logits"));
            double d = FamilyModels.difference(want, FamilyModels.logits(m, new int[][] {Tensors.toInts(f.tensor("ref_ids"))}));
            assertTrue(d < 1e-4, name + " differs by " + d);
        }
    }
}
