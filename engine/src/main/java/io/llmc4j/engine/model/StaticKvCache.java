package io.llmc4j.engine.model;

import io.llmc4j.engine.quant.QuantParams;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.StaticRange;
import io.llmc4j.engine.tensor.Matrix;
import java.util.HashMap;
import java.util.Map;

/**
 * The Naive cache with calibrated parameters, one for a block's keys and one for its values. While calibrating, states pass through unrounded and
 * nothing is kept.
 */
public final class StaticKvCache implements KvCache {

    private record Ranges(StaticRange keys, StaticRange values) { }

    /** One block's parameters: an export writes their scales. */
    public record Params(QuantParams keys, QuantParams values) { }

    private final KvRounding rounding;
    private final Map<Integer, Ranges> seen = new HashMap<>();
    private final Map<Integer, Params> fixed = new HashMap<>();
    private final Map<Integer, KeysValues> blocks = new HashMap<>();
    private boolean calibrating = true;

    /** @param quantizer per tensor, with a static range rule */
    public StaticKvCache(Quantizer quantizer) {
        this.rounding = new KvRounding(quantizer);
        StaticRange.of(quantizer.scheme());
    }

    /** Ends calibration; a block that saw no sample is an error when it is used. */
    public void freeze() {
        calibrating = false;
        seen.forEach((block, r) -> fixed.put(block, new Params(r.keys.params(rounding.quantizer()), r.values.params(rounding.quantizer()))));
        seen.clear();
    }

    /** Parameters by block, after {@link #freeze}. */
    public Map<Integer, Params> params() {
        return Map.copyOf(fixed);
    }

    /** Forgets the sequence, keeps the parameters. */
    public void reset() {
        blocks.clear();
    }

    @Override
    public int length(int block) {
        return blocks.containsKey(block) ? blocks.get(block).tokens() : 0;
    }

    @Override
    public KeysValues append(int block, AttentionSpec spec, KeysValues fresh, int batch) {
        if (calibrating) {
            Ranges r = seen.computeIfAbsent(block, b -> new Ranges(StaticRange.of(rounding.quantizer().scheme()), StaticRange.of(rounding.quantizer().scheme())));
            add(r.keys, fresh.keys(), fresh.tokens());
            add(r.values, fresh.values(), fresh.tokens());
            return fresh;
        }
        Params p = fixed.get(block);
        if (p == null) {
            throw new IllegalStateException("block " + block + " of the static cache saw no calibration sample");
        }
        KeysValues stored = blocks.get(block);
        KeysValues all = stored == null ? fresh : stored.then(fresh, batch);
        KeysValues rounded = new KeysValues(rounding.round(all.keys(), spec.kvHeads(), p.keys), rounding.round(all.values(), spec.kvHeads(), p.values), all.tokens());
        blocks.put(block, rounded);
        return stored == null ? rounded : all;
    }

    private static void add(StaticRange range, Matrix x, int tokens) {
        for (int from = 0; from < x.rows(); from += tokens) {
            range.add(x.rows(from, from + tokens));
        }
    }
}
