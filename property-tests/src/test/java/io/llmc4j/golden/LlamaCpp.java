package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.export.gguf.GgufModel;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A real llama.cpp, where one is installed: {@code npm install node-llama-cpp} in some directory, and its {@code node_modules} named by
 * the environment variable {@code LLMC4J_NODE_MODULES} (or a {@code node_modules} in or above the working directory).
 */
public final class LlamaCpp {

    public static final String HOW = "no llama.cpp: npm install node-llama-cpp somewhere and set LLMC4J_NODE_MODULES to its node_modules";
    private static final String PACKAGE = "@node-llama-cpp/linux-x64/bins/linux-x64";

    private LlamaCpp() {
    }

    /** The directory node_modules with both packages. */
    public static Optional<Path> nodeModules() {
        List<Path> candidates = new ArrayList<>();
        Optional.ofNullable(System.getenv("LLMC4J_NODE_MODULES")).ifPresent(p -> candidates.add(Path.of(p)));
        for (Path p = Path.of("").toAbsolutePath(); p != null; p = p.getParent()) {
            candidates.add(p.resolve("node_modules"));
        }
        return candidates.stream().filter(p -> Files.isDirectory(p.resolve(PACKAGE)) && Files.isDirectory(p.resolve("node-llama-cpp"))).findFirst();
    }

    /**
     * Loads a file there; the test is skipped where none is installed.
     *
     * @param dir for the script and its output
     * @param ids continued greedily by {@code count} tokens ("greedy")
     * @param texts tokenized ("tokens")
     */
    public static JsonNode ask(Path dir, Path file, int count, List<Integer> ids, String... texts) throws Exception {
        Optional<Path> modules = nodeModules();
        assumeTrue(modules.isPresent(), HOW);
        Path script = dir.resolve("llamacpp.mjs");
        try (InputStream in = LlamaCpp.class.getResourceAsStream("/gguf/llamacpp.mjs")) {
            Files.copy(in, script, StandardCopyOption.REPLACE_EXISTING);
        }
        List<String> command = new ArrayList<>(List.of("node", script.toString(), modules.get().toString(), file.toString(), "" + count,
                String.join(" ", ids.stream().map(String::valueOf).toList())));
        command.addAll(List.of(texts));
        Path out = dir.resolve("out.json");
        Path log = dir.resolve("log.txt");
        Process p = new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(log.toFile()).start();
        assertTrue(p.waitFor(5, TimeUnit.MINUTES), "llama.cpp did not come back");
        assertEquals(0, p.exitValue(), Files.readString(log));
        String[] lines = Files.readString(out).strip().split("\n");
        return new ObjectMapper().readTree(lines[lines.length - 1]);
    }

    public static List<Integer> integers(JsonNode list) {
        List<Integer> out = new ArrayList<>();
        list.forEach(n -> out.add(n.asInt()));
        return out;
    }

    /** Equal, or at the first difference our own logits of the two tokens are as good as the same: llama.cpp rounds activations. */
    public static void sameTokens(Path file, List<Integer> prompt, List<Integer> theirs, int count) {
        try (GgufModel g = GgufModel.open(file)) {
            Decoder decoder = new Decoder(g.spec());
            List<Integer> ids = new ArrayList<>(prompt);
            for (int i = 0; i < theirs.size(); i++) {
                float[] logits = last(g, decoder, ids);
                int best = best(logits);
                if (best != theirs.get(i)) {
                    float gap = logits[best] - logits[theirs.get(i)];
                    assertTrue(gap < 0.05f, "token " + i + " is " + theirs.get(i) + " there and " + best + " here, " + gap + " above it");
                    return;
                }
                ids.add(best);
            }
            // It stops at the end token.
            if (theirs.size() < count) {
                assertEquals(g.metadata().count("tokenizer.ggml.eos_token_id").orElse(-1), best(last(g, decoder, ids)), theirs + " and no more");
            }
        }
    }

    private static int best(float[] logits) {
        int best = 0;
        for (int v = 1; v < logits.length; v++) {
            best = logits[v] > logits[best] ? v : best;
        }
        return best;
    }

    private static float[] last(GgufModel g, Decoder decoder, List<Integer> ids) {
        Hidden h = decoder.embed(g.ends(), new int[][] {ids.stream().mapToInt(i -> i).toArray()});
        for (int b = 0; b < g.spec().blocks(); b++) {
            h = decoder.block(g.block(b), h, ForwardHooks.NONE);
        }
        Matrix logits = decoder.logits(g.ends(), h);
        return logits.rows(logits.rows() - 1, logits.rows()).data();
    }

    /** ggml's own quantizer, loaded in this process. */
    static final class Quantizer {

        private final MethodHandle chunk;

        Quantizer(Path nodeModules) {
            try (Stream<Path> files = Files.list(nodeModules.resolve(PACKAGE))) {
                Path library = files.filter(p -> p.getFileName().toString().startsWith("libggml-base.so")).findFirst().orElseThrow();
                SymbolLookup symbols = SymbolLookup.libraryLookup(library, Arena.global());
                chunk = Linker.nativeLinker().downcallHandle(symbols.find("ggml_quantize_chunk").orElseThrow(), FunctionDescriptor.of(
                        ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG,
                        ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS));
            } catch (java.io.IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }

        /** @param importance [cols] or length 0 */
        byte[] quantize(int typeId, float[] x, int rows, int cols, float[] importance, int bytes) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment from = arena.allocateFrom(ValueLayout.JAVA_FLOAT, x);
                MemorySegment to = arena.allocate(bytes, 64);
                MemorySegment weights = importance.length == 0 ? MemorySegment.NULL : arena.allocateFrom(ValueLayout.JAVA_FLOAT, importance);
                long n = (long) chunk.invokeExact(typeId, from, to, 0L, (long) rows, (long) cols, weights);
                if (n != bytes) {
                    throw new IllegalStateException(n + " bytes, not " + bytes);
                }
                return to.toArray(ValueLayout.JAVA_BYTE);
            } catch (RuntimeException | Error e) {
                throw e;
            } catch (Throwable e) {
                throw new IllegalStateException(e);
            }
        }
    }
}
