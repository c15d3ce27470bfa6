package io.llmc4j.laws;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.KiviKvCache;
import io.llmc4j.engine.model.KvCache;
import io.llmc4j.engine.model.NaiveKvCache;
import io.llmc4j.engine.model.StaticKvCache;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.RangeRule;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.golden.GoldenModels;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a cache gives back, step by step, against quantizers applied by hand. Two heads of 32 features. */
class KvCacheTest {

    private static final int HEADS = 2;
    private static final int WIDTH = 64;
    private static final Quantizer PER_TOKEN = Quantizer.of(QuantScheme.integer(4, true, Granularity.PER_TOKEN));

    private static AttentionSpec spec;

    @BeforeAll
    static void open(@TempDir Path dir) {
        try (HfModel m = HfModel.open(GoldenModels.llama(dir))) {
            spec = m.block(0).spec().attention();
        }
        assertEquals(HEADS, spec.kvHeads());
        assertEquals(WIDTH, spec.kvHeads() * spec.headDim());
    }

    private static KvCache.KeysValues states(int tokens, long seed) {
        Random r = new Random(seed);
        Matrix k = new Matrix(tokens, WIDTH);
        Matrix v = new Matrix(tokens, WIDTH);
        for (int i = 0; i < k.data().length; i++) {
            k.data()[i] = (float) r.nextGaussian();
            v.data()[i] = (float) r.nextGaussian();
        }
        return new KvCache.KeysValues(k, v, tokens);
    }

    /** Each token's heads by themselves. */
    private static float[] rounded(float[] x) {
        return PER_TOKEN.fakeQuantize(new Matrix(x.length / 32, 32, x)).data();
    }

    private static float[] row(Matrix m, int r) {
        return m.rows(r, r + 1).data();
    }

    @Test
    void naiveRoundsItsHistoryAgain() {
        NaiveKvCache cache = new NaiveKvCache(PER_TOKEN);
        KvCache.KeysValues first = states(3, 1);
        KvCache.KeysValues seen = cache.append(0, spec, first, 1);
        assertArrayEquals(rounded(first.keys().data()), seen.keys().data());
        KvCache.KeysValues next = states(1, 2);
        KvCache.KeysValues all = cache.append(0, spec, next, 1);
        assertEquals(4, all.tokens());
        assertArrayEquals(next.values().data(), row(all.values(), 3), "the newest token is not rounded yet");
        assertArrayEquals(rounded(first.values().data()), all.values().rows(0, 3).data());
        KvCache.KeysValues later = cache.append(0, spec, states(1, 3), 1);
        assertArrayEquals(rounded(next.values().data()), row(later.values(), 3));
        assertArrayEquals(rounded(rounded(first.values().data())), later.values().rows(0, 3).data());
        assertEquals(5, cache.length(0));
        assertEquals(0, cache.length(1));
    }

    /** LLMC: after a first pass of 3 tokens and with a window of 4, the fourth step empties the window. */
    @Test
    void llmcsKiviFlushes() {
        KiviKvCache cache = new KiviKvCache(PER_TOKEN, 4, KiviKvCache.Variant.LLMC);
        KvCache.KeysValues first = states(3, 1);
        assertArrayEquals(first.keys().data(), cache.append(0, spec, first, 1).keys().data(), "a first pass sees what came in");
        KvCache.KeysValues[] steps = new KvCache.KeysValues[6];
        for (int i = 0; i < 6; i++) {
            steps[i] = states(1, 10 + i);
            KvCache.KeysValues all = cache.append(0, spec, steps[i], 1);
            for (int j = 0; j <= i; j++) {
                // What step 3 (the fourth) completes is rounded from the next step on.
                float[] expected = i > 3 && j <= 3 ? rounded(steps[j].keys().data()) : steps[j].keys().data();
                assertArrayEquals(expected, row(all.keys(), 3 + j), "step " + i + ", token " + j);
            }
        }
    }

    /** The paper: whole windows only, keys by channel over the window, values by token, rounded once. */
    @Test
    void thePapersKivi() {
        KiviKvCache cache = new KiviKvCache(PER_TOKEN, 4, KiviKvCache.Variant.PAPER);
        KvCache.KeysValues first = states(5, 1);
        assertArrayEquals(first.values().data(), cache.append(0, spec, first, 1).values().data());
        KvCache.KeysValues all = cache.append(0, spec, states(1, 2), 1);
        Matrix window = first.keys().rows(0, 4);
        Matrix byChannel = Quantizer.of(QuantScheme.integer(4, true, Granularity.PER_CHANNEL)).fakeQuantize(window.transpose()).transpose();
        assertArrayEquals(byChannel.data(), all.keys().rows(0, 4).data());
        assertArrayEquals(rounded(first.values().rows(0, 4).data()), all.values().rows(0, 4).data());
        assertArrayEquals(row(first.keys(), 4), row(all.keys(), 4), "the window's rest stays in float");
        for (int i = 0; i < 3; i++) {
            all = cache.append(0, spec, states(1, 3 + i), 1);
        }
        assertArrayEquals(byChannel.data(), all.keys().rows(0, 4).data(), "a rounded window is not rounded again");
    }

    @Test
    void staticRangesAreFixedBlockByBlock() {
        QuantScheme scheme = QuantScheme.integer(8, true, Granularity.PER_TENSOR).withRange(new RangeRule.StaticMinMax()).withStatic(true);
        StaticKvCache cache = new StaticKvCache(Quantizer.of(scheme));
        KvCache.KeysValues a = states(3, 1);
        KvCache.KeysValues b = states(3, 2);
        assertArrayEquals(a.keys().data(), cache.append(0, spec, a, 1).keys().data());
        cache.fresh().append(0, spec, b, 1);
        cache.freeze(0);
        float lo = (min(a.keys()) + min(b.keys())) / 2;
        float hi = (max(a.keys()) + max(b.keys())) / 2;
        assertEquals(Math.max(Math.abs(lo), Math.abs(hi)) / 127f, cache.params().get(0).keys().scale(0), 1e-7f);
        KvCache other = cache.fresh();
        assertEquals(0, other.length(0));
        Matrix keys = other.append(0, spec, a, 1).keys();
        for (int i = 0; i < keys.data().length; i++) {
            float step = keys.data()[i] / cache.params().get(0).keys().scale(0);
            assertEquals(Math.rint(step), step, 1e-3);
        }
        BadInput e = assertThrows(BadInput.class, () -> cache.freeze(1));
        assertTrue(e.getMessage().contains("block 1"), e.getMessage());
    }

    private static float min(Matrix m) {
        float v = m.data()[0];
        for (float x : m.data()) {
            v = Math.min(v, x);
        }
        return v;
    }

    private static float max(Matrix m) {
        float v = m.data()[0];
        for (float x : m.data()) {
            v = Math.max(v, x);
        }
        return v;
    }

    @Test
    void smallFloatsAndRefusals() {
        QuantScheme e4m3 = QuantScheme.floating("e4m3", NumberFormat.Float.Path.NEAREST_EVEN, Granularity.perGroup(32));
        KvCache.KeysValues x = states(2, 7);
        float[] expected = Quantizer.of(e4m3).fakeQuantize(new Matrix(4, 32, x.keys().data())).data();
        assertArrayEquals(expected, new NaiveKvCache(Quantizer.of(e4m3)).append(0, spec, x, 1).keys().data());
        assertThrows(BadInput.class, () -> new NaiveKvCache(Quantizer.of(QuantScheme.floating("e4m3", NumberFormat.Float.Path.ADAPTIVE, Granularity.PER_TOKEN))));
        assertThrows(BadInput.class, () -> new NaiveKvCache(Quantizer.of(QuantScheme.integer(8, true, Granularity.perHead(2)))));
    }
}
