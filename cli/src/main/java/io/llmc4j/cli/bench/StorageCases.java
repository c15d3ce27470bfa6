package io.llmc4j.cli.bench;

import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.StoredFloats;
import io.llmc4j.engine.kernel.TensorPieces;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.StoredRounding;
import io.llmc4j.engine.quant.packing.CodeOffset;
import io.llmc4j.engine.quant.packing.DenseBits;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;

/** Cases that wait for memory: decoding and encoding of stored types, and rounding to nearest from a mapped file. */
final class StorageCases {

    /** A weight of 64 MiB in bf16: past the caches. */
    private static final int ROWS = 8192;
    private static final int COLS = 4096;
    private static final int N = ROWS * COLS;
    /** Stays in a core's second-level cache, as a consumer that works in pieces has it. */
    private static final int PIECE = 1 << 14;
    /** Stays in the first-level cache with its floats. */
    private static final int SMALL = 1 << 12;
    private static final int TASKS = 16;

    private StorageCases() {
    }

    static List<BenchCase> list() {
        List<BenchCase> cases = new ArrayList<>();
        for (DType type : new DType[] {DType.BF16, DType.F16, DType.F8_E4M3}) {
            cases.add(decodePieces(type));
        }
        cases.add(decode(DType.BF16));
        for (DType type : new DType[] {DType.BF16, DType.F16, DType.F8_E4M3}) {
            cases.add(encode(type));
        }
        cases.add(bf16ToFp8());
        cases.addAll(cached());
        cases.addAll(round());
        return cases;
    }

    private static String name(DType type) {
        return switch (type) {
            case BF16 -> "bf16";
            case F16 -> "fp16";
            default -> "fp8 e4m3";
        };
    }

    private static String id(DType type) {
        return name(type).replace(' ', '-');
    }

    private static double stored(DType type) {
        return (double) N * type.bits() / 8;
    }

    private static BenchCase decodePieces(DType type) {
        return BenchCase.traffic("decode-pieces-" + id(type), "decode " + name(type) + ", in pieces", "mapped, " + N / 1048576 + " Mi values", stored(type), stored(type), false, () -> {
            MappedTensor mapped = MappedTensor.of(type);
            float[][] pieces = new float[N / (1 << 20)][PIECE];
            return mapped.round(() -> Parallel.forEach(pieces.length, t -> {
                for (int i = 0; i < 1 << 20; i += PIECE) {
                    TensorPieces.toFloats(mapped.tensor, ((long) t << 20) + i, pieces[t], 0, PIECE);
                }
            }));
        });
    }

    private static BenchCase decode(DType type) {
        return BenchCase.traffic("decode-" + id(type), "decode " + name(type) + " to a matrix", "mapped, " + N / 1048576 + " Mi values", stored(type), stored(type) + 4.0 * N, false, () -> {
            MappedTensor mapped = MappedTensor.of(type);
            float[] out = new float[N];
            return mapped.round(() -> TensorPieces.toFloats(mapped.tensor, 0, out, 0, N));
        });
    }

    private static BenchCase encode(DType type) {
        return BenchCase.traffic("encode-" + id(type), "encode " + name(type), N / 1048576 + " Mi values", stored(type), stored(type) + 4.0 * N, false, () -> {
            Arena arena = Arena.ofShared();
            Tensor t = Tensor.allocate(type, new Shape(ROWS, COLS), arena);
            float[] values = ProductCases.random(N);
            return new BenchCase.Round() {
                @Override
                public void run() {
                    Tensors.store(t, 0, values, 0, N);
                }

                @Override
                public void close() {
                    arena.close();
                }
            };
        });
    }

    /** From one stored type to another, by way of floats that stay in the first-level cache. */
    private static BenchCase bf16ToFp8() {
        return BenchCase.traffic("fp8-bf16", "bf16 to fp8 e4m3", "mapped, " + N / 1048576 + " Mi values", stored(DType.BF16), stored(DType.BF16) + stored(DType.F8_E4M3), false, () -> {
            MappedTensor mapped = MappedTensor.of(DType.BF16);
            Tensor out = Tensor.allocate(DType.F8_E4M3, new Shape(ROWS, COLS), mapped.arena);
            float[][] pieces = new float[N / (1 << 20)][SMALL];
            return mapped.round(() -> Parallel.forEach(pieces.length, t -> {
                for (int i = 0; i < 1 << 20; i += SMALL) {
                    long at = ((long) t << 20) + i;
                    Tensors.toFloats(mapped.tensor, at, pieces[t], 0, SMALL);
                    Tensors.store(out, at, pieces[t], 0, SMALL);
                }
            }));
        });
    }

    /** The kernels by themselves: what they would do with memory that nobody waits for. */
    private static List<BenchCase> cached() {
        int each = N / TASKS / SMALL;
        String shape = SMALL / 1024 + " Ki values, again and again";
        return List.of(BenchCase.cached("cached-decode-bf16", "decode bf16, in cache", shape, stored(DType.BF16), () -> {
            short[][] raw = new short[TASKS][SMALL];
            float[][] out = new float[TASKS][SMALL];
            return () -> again(each, t -> StoredFloats.get().bf16ToFloats(SMALL, raw[t], 0, out[t], 0));
        }), BenchCase.cached("cached-encode-fp8", "encode fp8 e4m3, in cache", shape, stored(DType.F8_E4M3), () -> {
            byte[][] raw = new byte[TASKS][SMALL];
            float[] values = ProductCases.random(SMALL);
            return () -> again(each, t -> StoredFloats.get().floatsToE4m3(SMALL, values, 0, raw[t], 0, true));
        }), BenchCase.cached("cached-rtn-int4", "round to nearest, int4 packed, in cache", "4 x " + COLS + " bf16, groups of 128", stored(DType.BF16), () -> {
            QuantScheme scheme = QuantScheme.integer(4, true, Granularity.perGroup(128));
            Tensor small = Tensors.fromFloats(DType.BF16, new Shape(4, COLS), ProductCases.random(4 * COLS), Arena.ofAuto());
            return () -> Parallel.forEach(TASKS, t -> {
                for (int i = 0; i < ROWS / 4 / TASKS; i++) {
                    StoredRounding.of(small, scheme);
                }
            });
        }));
    }

    private static void again(int times, IntConsumer work) {
        Parallel.forEach(TASKS, t -> {
            for (int i = 0; i < times; i++) {
                work.accept(t);
            }
        });
    }

    /** Round to nearest from the file to packed codes and scales, as one pass and in the steps of a run that keeps the float weight. */
    private static List<BenchCase> round() {
        QuantScheme scheme = QuantScheme.integer(4, true, Granularity.perGroup(128));
        String shape = ROWS + " x " + COLS + " bf16, mapped, groups of 128";
        double bytes = 2.0 * N;
        double moved = bytes + N / 2.0 + 4.0 * N / 128;
        return List.of(BenchCase.traffic("rtn-int4-bf16", "round to nearest, int4 packed", shape, bytes, moved, false, () -> {
            MappedTensor mapped = MappedTensor.of(DType.BF16);
            return mapped.round(() -> StoredRounding.of(mapped.tensor, scheme));
        }), BenchCase.traffic("rtn-int4-bf16-steps", "the same in steps", shape, bytes, moved, false, () -> {
            MappedTensor mapped = MappedTensor.of(DType.BF16);
            Quantizer q = Quantizer.of(scheme);
            return mapped.round(() -> {
                Matrix w = TensorPieces.toMatrix(mapped.tensor);
                QuantizedMatrix m = q.quantize(w);
                DenseBits.packRows(ROWS, COLS, 4, CodeOffset.toUnsigned(m.codes(), 4));
            });
        }));
    }

    /** A tensor in a temporary file, mapped. */
    private record MappedTensor(Path file, Arena arena, Tensor tensor) {

        static MappedTensor of(DType type) {
            Arena arena = Arena.ofShared();
            try {
                Path file = Files.createTempFile("llmc4j-bench", ".bin");
                try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                    MemorySegment bytes = channel.map(FileChannel.MapMode.READ_WRITE, 0, (long) N * type.bits() / 8, arena);
                    Tensor t = new Tensor(type, new Shape(ROWS, COLS), bytes);
                    Tensors.store(t, 0, ProductCases.random(N), 0, N);
                    return new MappedTensor(file, arena, t);
                }
            } catch (IOException e) {
                arena.close();
                throw new UncheckedIOException(e);
            }
        }

        BenchCase.Round round(Runnable work) {
            return new BenchCase.Round() {
                @Override
                public void run() {
                    work.run();
                }

                @Override
                public void close() {
                    arena.close();
                    try {
                        Files.deleteIfExists(file);
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                }
            };
        }
    }
}
