package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.audit.Audit;
import io.llmc4j.formats.audit.AuditReport;
import io.llmc4j.formats.audit.Finding;
import io.llmc4j.formats.audit.LayerAudit;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.golden.GoldenModels;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Models that do not open as they are: the fault is named, every layer that can be read is compared all the same, and the others are listed. */
class DamagedAuditTest {

    private static final QuantScheme W4 = AuditedModels.ints(4, true, Granularity.perGroup(64));

    @TempDir
    static Path tmp;
    private static HfModel llama;
    private static int count;

    @BeforeAll
    static void open() {
        llama = HfModel.open(GoldenModels.llama(tmp));
    }

    @AfterAll
    static void close() {
        llama.close();
    }

    private static Path sharded(long shard) {
        return AuditedModels.write(llama, "vllm", l -> Optional.of(W4), Optional.empty(), tmp.resolve("m" + count++), shard);
    }

    private static List<Path> shards(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.filter(f -> f.toString().endsWith(".safetensors")).sorted().toList();
        }
    }

    private static Path holder(List<Path> files, String tensor) {
        return files.stream().filter(p -> {
            try (SafetensorsFile f = SafetensorsFile.open(p)) {
                return f.contains(tensor);
            }
        }).findFirst().orElseThrow();
    }

    /** Some layers compared and sound, the rest listed; no second fault is made of what is missing. */
    private static AuditReport some(Path directory, Finding.Rule rule, String fault) {
        AuditReport r = Audit.run(directory, llama, Optional.empty(), Audit.Listener.NONE);
        assertFalse(r.sound());
        assertEquals(1, r.faults().size(), r.faults().toString());
        assertEquals(rule, r.faults().getFirst().rule());
        assertTrue(r.faults().getFirst().message().contains(fault), r.faults().toString());
        assertTrue(!r.layers().isEmpty() && r.layers().size() < 14, r.layers().size() + " layers of 14");
        assertTrue(r.layers().stream().allMatch(LayerAudit::sound), r.layers().toString());
        assertEquals("compressed-tensors, pack-quantized", r.format());
        String notes = r.of(Finding.Severity.NOTE).toString();
        for (int b = 0; b < 2; b++) {
            int block = b;
            for (String layer : List.of("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")) {
                boolean compared = r.layers().stream().anyMatch(l -> l.name().equals("model.layers." + block + "." + layer));
                boolean listed = Stream.of(notes.split("; |because ")).anyMatch(n -> (n.contains("model.layers." + block + ": ") || n.contains("model.layers.0 to model.layers.1: ")) && n.contains(layer));
                assertEquals(!compared, listed, layer + " of block " + block + ": " + notes);
            }
        }
        return r;
    }

    @Test
    void aMissingShard() throws IOException {
        Path out = sharded(200_000);
        List<Path> files = shards(out);
        assertTrue(files.size() > 3);
        Path gone = holder(files, "model.layers.1.self_attn.q_proj.weight_packed");
        Files.delete(gone);
        some(out, Finding.Rule.SHARDS, gone.getFileName().toString());
    }

    @Test
    void aCutFile() throws IOException {
        Path out = sharded(AuditedModels.SHARD);
        Path file = out.resolve("model.safetensors");
        try (RandomAccessFile f = new RandomAccessFile(file.toFile(), "rw")) {
            f.setLength(f.length() - 90_000);
        }
        some(out, Finding.Rule.SHARDS, "is it truncated?");
    }

    @Test
    void aShardWithABadHeader() throws IOException {
        Path out = sharded(200_000);
        Path file = holder(shards(out), "model.layers.0.mlp.up_proj.weight_packed");
        try (RandomAccessFile f = new RandomAccessFile(file.toFile(), "rw")) {
            f.seek(8);
            f.write("[1, 2]".getBytes());
        }
        some(out, Finding.Rule.SHARDS, "not a JSON object");
    }

    @Test
    void aLayerOfAnotherShape() {
        Path out = sharded(AuditedModels.SHARD);
        String layer = "model.layers.1.mlp.up_proj";
        try (Arena arena = Arena.ofConfined()) {
            AuditedModels.rewrite(out, n -> true, Map.of(layer + ".weight_scale", Tensors.fromFloats(DType.F16, new Shape(384, 3), new float[384 * 3], arena)));
        }
        AuditReport r = Audit.run(out, llama, Optional.empty(), Audit.Listener.NONE);
        assertEquals(List.of(Finding.Rule.SHAPES), r.faults().stream().map(Finding::rule).toList());
        assertTrue(r.faults().getFirst().message().contains(layer), r.faults().toString());
        assertEquals(13, r.layers().size());
        assertTrue(r.layers().stream().allMatch(LayerAudit::sound), r.layers().toString());
    }

    @Test
    void aNormAndAScaleThatAreMissing() {
        Path out = sharded(AuditedModels.SHARD);
        AuditedModels.rewrite(out, n -> !n.equals("model.layers.0.input_layernorm.weight") && !n.equals("model.layers.1.self_attn.k_proj.weight_scale"), Map.of());
        AuditReport r = Audit.run(out, llama, Optional.empty(), Audit.Listener.NONE);
        assertFalse(r.sound());
        assertTrue(r.faults().toString().contains("model.layers.1.self_attn.k_proj"), r.faults().toString());
        assertEquals(13, r.layers().size());
        assertTrue(r.of(Finding.Severity.NOTE).stream().anyMatch(f -> f.message().equals("not compared, because it cannot be read: model.layers.0: input_layernorm.weight")),
                r.of(Finding.Severity.NOTE).toString());
    }

    /** A doubled scale is found in what is left. */
    @Test
    void aFaultInTheRestIsFound() throws IOException {
        Path out = sharded(AuditedModels.SHARD);
        AuditedModels.edit(out, "model.layers.0.self_attn.q_proj.weight_packed", AuditedModels::swapNibbles);
        AuditedModels.rewrite(out, n -> !n.startsWith("model.layers.1.mlp."), Map.of());
        AuditReport r = Audit.run(out, llama, Optional.empty(), Audit.Listener.NONE);
        assertTrue(r.faults().stream().anyMatch(f -> f.rule() == Finding.Rule.NAMES && f.where().equals("model.layers.1")), r.faults().toString());
        assertTrue(r.faults().stream().anyMatch(f -> f.rule() == Finding.Rule.LAYER && f.message().contains("the nibbles of every byte are exchanged")), r.faults().toString());
        assertEquals(11, r.layers().size());
    }

    @Test
    void nothingLeft() throws IOException {
        Path out = sharded(AuditedModels.SHARD);
        Files.write(out.resolve("model.safetensors"), new byte[]{1, 2, 3});
        AuditReport r = Audit.run(out, llama, Optional.empty(), Audit.Listener.NONE);
        assertFalse(r.sound());
        assertEquals(0, r.layers().size());
        assertTrue(r.of(Finding.Severity.NOTE).getFirst().message().startsWith("the weights were not compared"), r.findings().toString());
    }
}
