package io.llmc4j.golden;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A real llama.cpp, where one is installed: {@code npm install node-llama-cpp} in some directory, and its {@code node_modules} named by
 * the environment variable {@code LLMC4J_NODE_MODULES} (or a {@code node_modules} in or above the working directory).
 */
final class LlamaCpp {

    static final String HOW = "no llama.cpp: npm install node-llama-cpp somewhere and set LLMC4J_NODE_MODULES to its node_modules";
    private static final String PACKAGE = "@node-llama-cpp/linux-x64/bins/linux-x64";

    private LlamaCpp() {
    }

    /** The directory node_modules with both packages. */
    static Optional<Path> nodeModules() {
        List<Path> candidates = new ArrayList<>();
        Optional.ofNullable(System.getenv("LLMC4J_NODE_MODULES")).ifPresent(p -> candidates.add(Path.of(p)));
        for (Path p = Path.of("").toAbsolutePath(); p != null; p = p.getParent()) {
            candidates.add(p.resolve("node_modules"));
        }
        return candidates.stream().filter(p -> Files.isDirectory(p.resolve(PACKAGE)) && Files.isDirectory(p.resolve("node-llama-cpp"))).findFirst();
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
