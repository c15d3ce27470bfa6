package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.pipeline.ModelSource;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.RunSummary;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.hf.HfModel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Rounding without data holds the weights of one stored module at a time, however many experts a block has. */
class OneExpertAtATimeTest {

    @TempDir
    private Path dir;

    /** A model that remembers the block that was asked for last. */
    private static final class Watched implements ModelSource {
        private final HfModel model;
        private Block current;

        Watched(HfModel model) {
            this.model = model;
        }

        long loaded() {
            return current.linears().stream().filter(Linear::loaded).count();
        }

        @Override
        public ModelSpec spec() {
            return model.spec();
        }

        @Override
        public ModelEnds ends() {
            return model.ends();
        }

        @Override
        public Block block(int index) {
            current = model.block(index);
            return current;
        }

        @Override
        public String blockPrefix(int index) {
            return model.blockPrefix(index);
        }

        @Override
        public void close() {
            // The model is its opener's.
        }
    }

    @ParameterizedTest
    @CsvSource({"RTN, qwen3-moe, fake, 1", "HQQ, qwen3-moe, trans, 1", "RTN, qwen3-moe, gptq, 1", "RTN, gpt-oss, fake, 2", "RTN, phi3, vllm, 3"})
    void liveWeights(String method, String variant, String format, int parts) {
        QuantScheme scheme = QuantScheme.integer(4, true, Granularity.perGroup(16));
        RunConfig config = RunConfig.of(method, method.equals("HQQ") ? Map.of("axis", 1) : Map.of(), SchemePlan.of(scheme));
        List<Long> live = new ArrayList<>();
        List<String> names = new ArrayList<>();
        try (HfModel model = FamilyModels.open(variant)) {
            Watched watched = new Watched(model);
            List<ModelSink> sinks = List.of(Exports.open(Exports.named(format), model, dir.resolve("a"), 1L << 30, false),
                    Exports.open(Exports.named("fake"), model, dir.resolve("b"), 1L << 30, false));
            RunSummary s = new BlockFold(watched, config, sinks, new RunListener() {
                @Override
                public void layerDone(LayerResult layer) {
                    names.add(layer.fullName());
                    live.add(watched.loaded());
                }

                @Override
                public void blockDone(int block, int blocks, double seconds) {
                    assertEquals(0, watched.loaded());
                }
            }).run();
            sinks.forEach(x -> assertEquals(List.of(), x.verify()));
            sinks.forEach(ModelSink::close);
            assertEquals(names.stream().distinct().toList(), names);
            assertEquals(model.spec().blocks(), (int) s.layers().stream().map(RunSummary.LayerRow::block).distinct().count());
            assertEquals(s.layers().size(), names.size());
        }
        assertTrue(live.stream().allMatch(n -> n <= parts), live.toString());
    }
}
