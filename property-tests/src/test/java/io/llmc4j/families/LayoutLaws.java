package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.ModuleCodec;
import io.llmc4j.formats.hf.ModuleLayout;
import io.llmc4j.formats.hf.RowMap;
import io.llmc4j.formats.hf.StoredModule;
import io.llmc4j.formats.hf.TensorFate;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Layers are exactly what the checkpoint's modules hold: apart and together again, for weights, biases, norms and codes. */
class LayoutLaws {

    static List<String> variants() {
        return FamilyModels.VARIANTS;
    }

    @ParameterizedTest
    @MethodSource("variants")
    void modulesJoinToWhatWasStored(String variant) {
        try (HfModel m = FamilyModels.open(variant)) {
            for (int i = 0; i < m.spec().blocks(); i++) {
                Block block = m.block(i);
                BlockLayout layout = m.layout(i);
                for (ModuleLayout module : layout.modules()) {
                    StoredModule stored = m.module(i, module);
                    Matrix joined = ModuleCodec.join(module, n -> block.linear(n).weight());
                    assertArrayEquals(m.weight(stored).data(), joined.data(), stored.name());
                    float[] bias = ModuleCodec.joinBias(module, n -> block.linear(n).bias());
                    assertEquals(m.store().contains(stored.biasName()), bias.length > 0, stored.biasName());
                }
                String prefix = m.blockPrefix(i) + ".";
                layout.norms().forEach((slot, n) -> n.store(block.norm(slot).orElseThrow()).forEach((tensor, values) ->
                        assertArrayEquals(Tensors.toFloats(m.store().get(prefix + tensor)), values, 2e-7f, tensor)));
            }
        }
    }

    /** Every tensor has a fate, and what is used is all that there is: these models carry nothing along. */
    @ParameterizedTest
    @MethodSource("variants")
    void everyTensorIsAccountedFor(String variant) {
        try (HfModel m = FamilyModels.open(variant)) {
            assertEquals(m.store().names(), m.account().stream().map(TensorFate::tensor).toList());
            assertTrue(m.account().stream().allMatch(t -> t.fate() == TensorFate.Fate.USED), () -> m.account().toString());
        }
    }

    /** Every linear layer but those of experts stands in exactly one subset, and subsets name layers and predecessors that exist. */
    @ParameterizedTest
    @MethodSource("variants")
    void subsetsCoverTheBlock(String variant) {
        try (HfModel m = FamilyModels.open(variant)) {
            for (int i = 0; i < m.spec().blocks(); i++) {
                Block block = m.block(i);
                Set<String> seen = new HashSet<>();
                for (Subset s : block.subsets()) {
                    int in = block.linear(s.input()).in();
                    for (String n : s.layers()) {
                        assertTrue(seen.add(n), n + " is in two subsets");
                        assertEquals(in, block.linear(n).in(), n);
                    }
                    s.previous().ifPresent(p -> {
                        if (p instanceof Subset.PreviousNorm) {
                            assertEquals(in, block.norm(p.name()).weight().length);
                        } else {
                            block.linear(p.name());
                        }
                    });
                }
                assertEquals(block.linears().stream().map(Linear::name).collect(java.util.stream.Collectors.toSet()), seen);
            }
        }
    }

    private static final int D = 4;
    private static final ModuleLayout TRIPLES = new ModuleLayout("qkv", "qkv.weight", "qkv.bias", -1, false, 24, 8, false, List.of(
            new ModuleLayout.Part("qkv[q]", io.llmc4j.engine.model.Role.Q, -1, RowMap.strided(0, 2, D, 3 * D)),
            new ModuleLayout.Part("qkv[k]", io.llmc4j.engine.model.Role.K, -1, RowMap.strided(D, 2, D, 3 * D)),
            new ModuleLayout.Part("qkv[v]", io.llmc4j.engine.model.Role.V, -1, RowMap.strided(2 * D, 2, D, 3 * D))));

    private static QuantizedMatrix codes(Granularity g, int scales, boolean zeros) {
        Random r = new Random(7);
        byte[] c = new byte[24 * 8];
        r.nextBytes(c);
        for (int i = 0; i < c.length; i++) {
            c[i] &= 15;
        }
        float[] s = new float[scales];
        float[] z = new float[zeros ? scales : 0];
        for (int i = 0; i < scales; i++) {
            s[i] = r.nextFloat() + 0.1f;
            if (zeros) {
                z[i] = r.nextInt(16);
            }
        }
        return new QuantizedMatrix(QuantScheme.integer(4, !zeros, g), 24, 8, c, s, z, new int[0], 1f);
    }

    /** The part's dequantized weight is the part of the dequantized weight; joining gives every array back. */
    @Test
    void codesSplitAndJoin() {
        for (QuantizedMatrix whole : List.of(codes(Granularity.PER_CHANNEL, 24, true), codes(Granularity.perGroup(4), 48, true),
                codes(Granularity.perGroup(2), 96, false), codes(Granularity.PER_TENSOR, 1, true), codes(Granularity.perBlock(4), 12, false))) {
            List<QuantizedMatrix> parts = TRIPLES.parts().stream().map(p -> ModuleCodec.split(TRIPLES, p, whole)).toList();
            for (int i = 0; i < 3; i++) {
                assertArrayEquals(ModuleCodec.split(TRIPLES, TRIPLES.parts().get(i), whole.dequantize()).data(), parts.get(i).dequantize().data(),
                        whole.scheme().toString());
            }
            QuantizedMatrix back = ModuleCodec.join(TRIPLES, parts);
            assertArrayEquals(whole.codes(), back.codes());
            assertArrayEquals(whole.scales(), back.scales());
            assertArrayEquals(whole.zeros(), back.zeros());
        }
    }

    @Test
    void codesThatCannotShareATensorAreRefused() {
        BadInput block = assertThrows(BadInput.class, () -> ModuleCodec.split(TRIPLES, TRIPLES.parts().getFirst(), codes(Granularity.perBlock(8), 3, false)));
        assertTrue(block.getMessage().contains("blocks of 8 rows"), block.getMessage());
        QuantizedMatrix whole = codes(Granularity.PER_TENSOR, 1, false);
        List<QuantizedMatrix> parts = new java.util.ArrayList<>(TRIPLES.parts().stream().map(p -> ModuleCodec.split(TRIPLES, p, whole)).toList());
        QuantizedMatrix q = parts.get(1);
        parts.set(1, new QuantizedMatrix(q.scheme(), q.rows(), q.cols(), q.codes(), new float[] {9f}, q.zeros(), q.columnGroup(), 1f));
        BadInput scales = assertThrows(BadInput.class, () -> ModuleCodec.join(TRIPLES, parts));
        assertEquals(BadInput.Common.FORMAT, scales.kind());
    }
}
