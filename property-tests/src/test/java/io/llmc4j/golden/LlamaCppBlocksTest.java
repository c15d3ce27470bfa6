package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.llmc4j.formats.export.gguf.block.BlockCodec;
import io.llmc4j.formats.export.gguf.block.GgmlType;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Block encoders against ggml in this process, on data that no file holds: skipped where no llama.cpp is installed. */
class LlamaCppBlocksTest {

    private static final int ROWS = Integer.getInteger("llmc4j.llamacpp.rows", 6);
    private static final int COLS = 1024;

    @TestFactory
    Stream<DynamicTest> sameBytes() {
        Optional<Path> modules = LlamaCpp.nodeModules();
        assumeTrue(modules.isPresent(), LlamaCpp.HOW);
        LlamaCpp.Quantizer ggml = new LlamaCpp.Quantizer(modules.get());
        return Stream.of(GgmlType.values()).filter(GgmlType::quantized).flatMap(type -> Stream.of(false, true)
                .filter(importance -> importance || !type.needsImportance())
                .map(importance -> DynamicTest.dynamicTest(type + (importance ? " with importance" : ""), () -> compare(ggml, type, importance))));
    }

    private static void compare(LlamaCpp.Quantizer ggml, GgmlType type, boolean weighted) {
        Random random = new Random(type.id());
        float[] importance = weighted ? new float[COLS] : BlockCodec.NO_IMPORTANCE;
        for (int i = 0; i < importance.length; i++) {
            float g = (float) random.nextGaussian();
            importance[i] = random.nextInt(50) == 0 ? 0f : g * g;
        }
        BlockCodec codec = type.codec().orElseThrow();
        int rowBytes = (int) type.rowBytes(COLS);
        for (Kind kind : Kind.values()) {
            float[] x = new float[ROWS * COLS];
            for (int i = 0; i < x.length; i++) {
                x[i] = kind.value(random, i);
            }
            byte[] want = ggml.quantize(type.id(), x, ROWS, COLS, importance, ROWS * rowBytes);
            byte[] got = new byte[want.length];
            for (int r = 0; r < ROWS; r++) {
                codec.encode(x, r * COLS, COLS, importance, got, r * rowBytes);
            }
            for (int b = 0; b < want.length; b += type.bytes()) {
                if (type == GgmlType.IQ3_S && zeroSubBlockBeforeOthers(x, b / type.bytes() * 256)) {
                    assertTrue(error(type, got, b, x) <= error(type, want, b, x), kind + ", block " + b / type.bytes());
                    continue;
                }
                assertEquals(HexFormat.of().formatHex(want, b, b + type.bytes()), HexFormat.of().formatHex(got, b, b + type.bytes()),
                        kind + ", block " + b / type.bytes());
            }
        }
    }

    /**
     * Release 3.22.1 forgets to step over an all-zero sub-block of IQ3_S, so that those behind it are stored in the wrong place. Ours are
     * in the right one.
     */
    private static boolean zeroSubBlockBeforeOthers(float[] x, int at) {
        boolean zero = false;
        for (int s = at; s < at + 256; s += 32) {
            boolean all = true;
            for (int i = s; i < s + 32; i++) {
                all &= x[i] == 0f;
            }
            if (zero && !all) {
                return true;
            }
            zero |= all;
        }
        return false;
    }

    private static double error(GgmlType type, byte[] bytes, int block, float[] x) {
        float[] y = new float[256];
        type.codec().orElseThrow().decode(bytes, block, 256, y, 0);
        double error = 0;
        for (int i = 0; i < 256; i++) {
            double d = y[i] - x[block / type.bytes() * 256 + i];
            error += d * d;
        }
        return error;
    }

    private enum Kind {
        GAUSSIAN, HEAVY, BF16_TIES, FEW_VALUES, TINY, SUBNORMAL, LARGE, POSITIVE, SPARSE, SCALES_APART;

        float value(Random r, int i) {
            double g = r.nextGaussian();
            return (float) switch (this) {
                case GAUSSIAN -> g * 0.02;
                case HEAVY -> g * g * g * 0.1;
                case BF16_TIES -> Float.intBitsToFloat(Float.floatToRawIntBits((float) (g * 0.02)) & 0xffff0000);
                case FEW_VALUES -> Math.round(g * 2) * 0.25;
                case TINY -> g * 1e-9;
                case SUBNORMAL -> g * 1e-40;
                case LARGE -> g * 100;
                case POSITIVE -> Math.abs(g) + 1;
                case SPARSE -> r.nextInt(10) == 0 ? g : 0;
                case SCALES_APART -> g * Math.pow(10, -(i / 32) % 7);
            };
        }
    }
}
