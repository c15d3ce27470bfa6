package io.llmc4j.hostile;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.cli.config.ConfigReader;
import io.llmc4j.cli.config.YamlReader;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.journal.Fingerprint;
import io.llmc4j.engine.journal.RunJournal;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.NonFiniteWeight;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.safetensors.CheckpointIndex;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.families.FamilyModels;
import io.llmc4j.formats.data.TextRows;
import io.llmc4j.formats.data.TokenIds;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.export.gguf.GgufFile;
import io.llmc4j.formats.export.gguf.GgufModel;
import io.llmc4j.formats.export.gguf.GgufSink;
import io.llmc4j.formats.export.gguf.GgufTarget;
import io.llmc4j.formats.export.gguf.imatrix.ImportanceFiles;
import io.llmc4j.formats.export.gguf.imatrix.ImportanceMatrix;
import io.llmc4j.formats.export.gguf.imatrix.LegacyImportance;
import io.llmc4j.formats.export.gguf.mix.FileType;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.ModelShape;
import io.llmc4j.formats.text.Tokenizer;
import io.llmc4j.golden.GoldenModels;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Sound files, damaged at random: whatever comes out, it is a result or a {@link BadInput}, soon and in little memory. {@code -Dllmc4j.fuzz=1000000}
 * runs so many of every kind, {@code -Dllmc4j.fuzz.kinds=arrow,parquet} only these kinds, {@code -Dllmc4j.fuzz.seed} other inputs, {@code -Dllmc4j.fuzz.from} those behind
 * a number. A failure names kind, seed and number, so that it can be run again alone.
 */
@Timeout(value = 10, unit = TimeUnit.HOURS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FuzzTest {

    /** Of every kind; 0: what a build has time for. */
    private static final int COUNT = Integer.getInteger("llmc4j.fuzz", 0);
    private static final int FROM = Integer.getInteger("llmc4j.fuzz.from", 0);
    private static final long SEED = Long.getLong("llmc4j.fuzz.seed", 1L);
    private static final List<String> KINDS = List.of(System.getProperty("llmc4j.fuzz.kinds", "").split(","));
    private static final List<String> TOKENS = List.of("{", "}", "[", "]", "\"", ":", ",", "null", "true", "-1", "1e999", "9223372036854775807", "18446744073709551616",
            "0.5", "\\u0000", "\\ud800", "\"shape\"", "\"dtype\"", "\"data_offsets\"", "\"F32\"", "\"weight_map\"", "[[[[[[[[", "../", "\u00e9", "\uD83D\uDE00", " ", "\n", "\0");

    private static final Set<String> SEEN = new ConcurrentSkipListSet<>();

    @TempDir
    private Path dir;

    /** A kind that is not there would be run without a fault. */
    @AfterAll
    static void everyKindIsThere() {
        assertTrue(KINDS.getFirst().isEmpty() || SEEN.containsAll(KINDS), () -> KINDS + " are asked for, there are " + SEEN);
    }

    /** A parser and everything that it gives lazily. */
    private interface Parse {
        void run(byte[] bytes) throws IOException;
    }

    private interface Damage {
        byte[] to(byte[] good, Random random) throws IOException;
    }

    private static byte[] resource(String name) throws Exception {
        return Files.readAllBytes(Path.of(FuzzTest.class.getResource(name).toURI()));
    }

    private static void fuzz(String what, List<byte[]> seeds, int few, Parse parse) throws IOException {
        fuzz(what, seeds, few, (good, random) -> damaged(good, 600, random), parse);
    }

    /** @param few how many inputs a build has time for */
    private static void fuzz(String what, List<byte[]> seeds, int few, Damage damage, Parse parse) throws IOException {
        SEEN.add(what);
        if (!KINDS.getFirst().isEmpty() && !KINDS.contains(what)) {
            return;
        }
        int refused = 0;
        long worst = 0;
        long begin = System.nanoTime();
        for (int i = FROM; i < FROM + (COUNT == 0 ? few : COUNT); i++) {
            Random random = new Random(SEED * 1_000_003 + i);
            byte[] bytes = damage.to(seeds.get(random.nextInt(seeds.size())), random);
            long start = System.nanoTime();
            try {
                parse.run(bytes);
            } catch (BadInput e) {
                refused++;
                assertTrue(e.getMessage().length() < 20_000, what + " " + SEED + "/" + i + ": a message of " + e.getMessage().length() + " characters");
            } catch (RuntimeException | Error e) {
                throw new AssertionError(what + ", seed " + SEED + ", number " + i + ": " + e, e);
            }
            worst = Math.max(worst, System.nanoTime() - start);
            if (COUNT > 0 && (i + 1) % 10_000 == 0) {
                System.out.println(what + ": " + (i + 1));
            }
        }
        assertTrue(worst < 30_000_000_000L, what + ": one input took " + worst / 1e9 + " s");
        if (COUNT > 0) {
            System.out.printf("%s: %d inputs from seed %d, number %d; %d refused, the others read; %.0f s, the slowest %.3f s%n", what, COUNT, SEED, FROM, refused,
                    (System.nanoTime() - begin) / 1e9, worst / 1e9);
        }
    }

    /** @param head most of the damage is in so many of the first bytes */
    private static byte[] damaged(byte[] good, int head, Random random) {
        byte[] b = good.clone();
        for (int n = 1 + random.nextInt(3); n > 0; n--) {
            int at = b.length == 0 ? 0 : random.nextInt(3) == 0 ? random.nextInt(b.length) : random.nextInt(Math.min(b.length, head));
            switch (random.nextInt(6)) {
                case 0 -> b = splice(b, at, Math.min(b.length - at, 1), new byte[] {(byte) random.nextInt()});
                case 1 -> b = splice(b, at, Math.min(b.length - at, 1), new byte[] {(byte) (b.length == 0 ? 0 : b[at] ^ 1 << random.nextInt(8))});
                case 2 -> b = splice(b, at, 0, TOKENS.get(random.nextInt(TOKENS.size())).getBytes(StandardCharsets.UTF_8));
                case 3 -> b = splice(b, at, Math.min(b.length - at, random.nextInt(20)), new byte[0]);
                case 4 -> b = Arrays.copyOf(b, at);
                default -> {
                    int length = Math.min(b.length - at, random.nextInt(60));
                    b = splice(b, at, 0, Arrays.copyOfRange(b, at, at + length));
                }
            }
        }
        return b;
    }

    /** A new file: what was mapped before stays what it was, and costs nothing. */
    private static Path write(Path p, byte[] bytes) throws IOException {
        Files.deleteIfExists(p);
        return Files.write(p, bytes);
    }

    private static byte[] splice(byte[] b, int at, int remove, byte[] insert) {
        byte[] out = new byte[b.length - remove + insert.length];
        System.arraycopy(b, 0, out, 0, at);
        System.arraycopy(insert, 0, out, at, insert.length);
        System.arraycopy(b, at + remove, out, at + insert.length, b.length - at - remove);
        return out;
    }

    @Test
    void safetensors() throws Exception {
        byte[] reference = resource("/safetensors/reference.safetensors");
        byte[] small = SafetensorsHostileTest.file("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[8,9]}}", 9);
        fuzz("safetensors", List.of(reference, small), 2000, bytes -> {
            try (SafetensorsFile f = SafetensorsFile.of(bytes, "fuzz")) {
                f.names().forEach(n -> f.tensor(n).bytes().toArray(ValueLayout.JAVA_BYTE));
            }
        });
    }

    /** Damage behind the length, which is put right again: most of the blind damage ends at the length already. */
    @Test
    void safetensorsHeaders() throws Exception {
        byte[] reference = resource("/safetensors/reference.safetensors");
        int n = reference[0] & 0xff | (reference[1] & 0xff) << 8;
        byte[] json = Arrays.copyOfRange(reference, 8, 8 + n);
        Parse parse = bytes -> {
            try (SafetensorsFile f = SafetensorsFile.of(SafetensorsHostileTest.file(bytes, reference.length - 8 - n), "fuzz")) {
                f.names().forEach(t -> f.tensor(t).bytes().toArray(ValueLayout.JAVA_BYTE));
            }
        };
        fuzz("safetensors-header", List.of(json), 2000, parse);
        fuzz("safetensors-structure", List.of(json), 1000, JsonDamage::to, parse);
    }

    @Test
    void indexes() throws Exception {
        byte[] index = ("{\"metadata\":{\"total_size\":123},\"weight_map\":{\"a.weight\":\"model-00001-of-00002.safetensors\","
                + "\"b.weight\":\"model-00002-of-00002.safetensors\"}}").getBytes(StandardCharsets.UTF_8);
        fuzz("index", List.of(index), 2000, bytes -> CheckpointIndex.parse(bytes, "fuzz"));
        fuzz("index-structure", List.of(index), 1000, JsonDamage::to, bytes -> CheckpointIndex.parse(bytes, "fuzz"));
    }

    /** What a run left behind, as it is looked for and taken up again. */
    @Test
    void journals() throws Exception {
        byte[] journal = ("{\"format\":1,\"blocks\":3,\"fingerprint\":{\"seed\":\"0\"},\"blocksDone\":1,\"states\":\"states-00001.safetensors\",\"carried\":[\"x\"],"
                + "\"artifacts\":[[\"scales\",\"a\"]],\"rows\":[[0,\"a\",1,2,4.0,0.1,0.1,0.2,[\"note\"]]],\"marks\":[\"{}\"],\"written\":[]}").getBytes(StandardCharsets.UTF_8);
        RunJournal.Place place = RunJournal.Place.in(dir);
        Fingerprint print = new Fingerprint(Map.of("seed", "0"));
        Parse parse = bytes -> {
            Files.createDirectories(place.directory());
            write(place.directory().resolve("journal.json"), bytes);
            RunJournal.find(place);
            RunJournal.resume(place, print, 3).close();
        };
        fuzz("journal", List.of(journal), 200, parse);
        fuzz("journal-structure", List.of(journal), 200, JsonDamage::to, parse);
    }

    @Test
    void tokenizers() throws Exception {
        byte[] config = "{\"add_bos_token\":true,\"bos_token\":{\"content\":\"<s>\"},\"truncation_side\":\"left\"}".getBytes(StandardCharsets.UTF_8);
        byte[] golden = resource("/tokenizers/golden.json");
        fuzz("tokenizer-configuration", List.of(config), 100, bytes -> use(Tokenizer.of(golden, bytes, "fuzz")));
        List<byte[]> seeds = List.of(resource("/tokenizers/llama3-like.json"), resource("/tokenizers/llama2-like.json"), resource("/tokenizers/unigram.json"), resource("/tokenizers/wordpiece.json"));
        fuzz("tokenizer", seeds, 100, bytes -> use(Tokenizer.of(bytes, new byte[0], "fuzz")));
        fuzz("tokenizer-structure", seeds, 100, JsonDamage::to, bytes -> use(Tokenizer.of(bytes, new byte[0], "fuzz")));
    }

    private static void use(Tokenizer t) {
        try (t) {
            t.decode(t.encode("The caf\u00e9's 12345 words. \uD83D\uDE00"), true);
            t.encodeTruncated("some more words than three", 3, true);
        }
    }

    @Test
    void textFiles() throws Exception {
        byte[] json = "[{\"text\":\"one\"},{\"text\":\"tw\\u00f6\",\"meta\":{\"a\":[1,2,3.5e3]}},{\"text\":\"three\"}]".getBytes(StandardCharsets.UTF_8);
        byte[] lines = "{\"text\":\"one\"}\n{\"text\":\"two\",\"n\":null}\n\"three\"\n".getBytes(StandardCharsets.UTF_8);
        byte[] ids = "[[1,2,3],[4,5,6]]".getBytes(StandardCharsets.UTF_8);
        file("text", "x.json", List.of(json, lines), 200);
        fuzz("ids", List.of(ids), 200, bytes -> TokenIds.read(write(dir.resolve("ids.json"), bytes), 10));
        file("samples", "samples.json", List.of("[{\"question\":\"a\",\"answer\":\"b\",\"image\":null}]".getBytes(StandardCharsets.UTF_8)), 200);
    }

    @Test
    void arrowAndParquet() throws Exception {
        file("arrow", "x.arrow", List.of(resource("/datasets/saved/train/data-00000-of-00002.arrow"), resource("/datasets/file.arrow")), 200);
        file("parquet", "x.parquet", List.of(resource("/datasets/parquet/part-none.parquet"), resource("/datasets/parquet/part-snappy.parquet")), 40);
    }

    /** Containers, and importance matrices in both of their formats. */
    @Test
    void gguf() throws Exception {
        Path p = dir.resolve("fuzz.gguf");
        fuzz("gguf", List.of(resource("/gguf/tiny.gguf")), 400, bytes -> {
            write(p, bytes);
            try (GgufFile f = GgufFile.open(p)) {
                f.tensors().forEach(t -> f.bytes(t).toArray(ValueLayout.JAVA_BYTE));
            }
        });
        ImportanceMatrix importance = new ImportanceMatrix(Map.of("blk.0.attn_q.weight", new ImportanceMatrix.Entry(new float[] {1, 2, 3, 4}, new float[] {3}),
                "blk.0.ffn_down.weight", new ImportanceMatrix.Entry(new float[] {5, 6}, new float[] {3})), List.of("text"), 3, 512);
        Path made = dir.resolve("made.gguf");
        ImportanceFiles.writeGguf(importance, made);
        fuzz("importance-gguf", List.of(Files.readAllBytes(made)), 200, bytes -> ImportanceFiles.read(write(p, bytes)));
        Path legacy = dir.resolve("made.dat");
        LegacyImportance.write(importance, legacy);
        Path q = dir.resolve("fuzz.dat");
        fuzz("importance", List.of(Files.readAllBytes(legacy)), 200, bytes -> ImportanceFiles.read(write(q, bytes)));
    }

    /** Models as GGUF, up to their tokenizer and every weight. Most of the damage is in what stands before the tensors' bytes. */
    @Test
    void ggufModels() throws Exception {
        List<byte[]> seeds = new ArrayList<>();
        Path golden = Files.createDirectories(dir.resolve("golden"));
        try (HfModel m = HfModel.open(GoldenModels.llama(dir.resolve("llama"))); ModelSink sink = Exports.open(Exports.named("gguf:q4_0"), m, golden, 1 << 30, true)) {
            write(m, sink);
        }
        try (var files = Files.list(golden)) {
            seeds.add(Files.readAllBytes(files.filter(f -> f.toString().endsWith(".gguf")).findFirst().orElseThrow()));
        }
        for (String variant : List.of("qwen3-moe", "phi3-longrope", "deepseek-v2-lite")) {
            GgufTarget target = new GgufTarget(dir, variant, FileType.F32, ImportanceMatrix.NONE, 0, Optional.empty());
            try (HfModel m = FamilyModels.open(variant); GgufSink sink = new GgufSink(target, m.spec())) {
                write(m, sink);
            }
            seeds.add(Files.readAllBytes(target.file()));
        }
        Path p = dir.resolve("fuzz-model.gguf");
        fuzz("gguf-model", seeds, 60, (good, random) -> damaged(good, 20_000, random), bytes -> {
            write(p, bytes);
            try (GgufModel m = GgufModel.open(p)) {
                m.ends();
                for (int i = 0; i < m.spec().blocks(); i++) {
                    m.block(i).linears().forEach(Linear::weight);
                }
                if (m.metadata().text("tokenizer.ggml.model").isPresent()) {
                    use(m.tokenizer());
                }
            } catch (NonFiniteWeight e) {
                // the fold makes an error of it that names the tensor
                return;
            }
        });
    }

    private static void write(HfModel m, ModelSink sink) {
        sink.ends(m.ends());
        for (int i = 0; i < m.spec().blocks(); i++) {
            sink.block(m.block(i), List.of());
        }
        sink.finish();
    }

    /** Configurations of models, up to the names and shapes of the tensors that they promise. */
    @Test
    void modelConfigurations() throws Exception {
        List<byte[]> seeds = new ArrayList<>();
        for (String variant : List.of("qwen3", "deepseek-v2", "mixtral", "gemma2", "bloom-12heads", "phi3-longrope")) {
            seeds.add(FamilyModels.config(variant).json().toString().getBytes(StandardCharsets.UTF_8));
        }
        Parse parse = bytes -> ModelShape.of(HfConfig.parse(new String(bytes, StandardCharsets.UTF_8), "config.json"));
        fuzz("model-configuration", seeds, 2000, parse);
        List<byte[]> all = new ArrayList<>();
        for (String variant : FamilyModels.VARIANTS) {
            all.add(FamilyModels.config(variant).json().toString().getBytes(StandardCharsets.UTF_8));
        }
        fuzz("model-structure", all, 1000, JsonDamage::to, parse);
    }

    /** Run configurations, up to what a run would be made of. */
    @Test
    void runConfigurations() throws Exception {
        List<byte[]> seeds = new ArrayList<>();
        try (var files = Files.list(Path.of(System.getProperty("llmc4j.root"), "cli/src/main/resources/configs"))) {
            for (Path p : files.filter(f -> f.toString().endsWith(".yml")).sorted().toList()) {
                seeds.add(Files.readAllBytes(p));
            }
        }
        fuzz("run-configuration", seeds, 2000, bytes -> ConfigReader.read(YamlReader.document("fuzz.yml", new String(bytes, StandardCharsets.UTF_8)), false));
    }

    private void file(String what, String name, List<byte[]> seeds, int count) throws IOException {
        Path p = dir.resolve(name);
        fuzz(what, seeds, count, bytes -> {
            write(p, bytes);
            TextRows.read(name.equals("samples.json") ? dir : p, TextRows.Choice.ANY).rows().forEach(String::length);
        });
    }
}
