package io.llmc4j.engine.model;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.QuantParams;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.StaticRange;
import io.llmc4j.engine.tensor.Matrix;
import java.util.HashMap;
import java.util.Map;

/**
 * The Naive cache with calibrated parameters, one for a block's keys and one for its values. Until a block is frozen its states pass through
 * unrounded, widen its ranges, and nothing is kept.
 */
public final class StaticKvCache implements KvCache {

    private record Ranges(StaticRange keys, StaticRange values) { }

    /** One block's parameters: an export writes their scales. */
    public record Params(QuantParams keys, QuantParams values) { }

    private final KvRounding rounding;
    private final Map<Integer, Ranges> seen;
    private final Map<Integer, Params> fixed;
    private final Map<Integer, KeysValues> blocks = new HashMap<>();

    /** @param quantizer per tensor, with a static range rule */
    public StaticKvCache(Quantizer quantizer) {
        this(new KvRounding(quantizer), new HashMap<>(), new HashMap<>());
        StaticRange.of(quantizer.scheme());
    }

    private StaticKvCache(KvRounding rounding, Map<Integer, Ranges> seen, Map<Integer, Params> fixed) {
        this.rounding = rounding;
        this.seen = seen;
        this.fixed = fixed;
    }

    /** An empty cache for other sequences with the same ranges and parameters. */
    public StaticKvCache fresh() {
        return new StaticKvCache(rounding, seen, fixed);
    }

    /** Ends the calibration of a block. Throws BadInput (DATA) when it saw no sample. */
    public void freeze(int block) {
        Ranges r = seen.remove(block);
        if (r == null) {
            throw BadInput.of(BadInput.Common.DATA, "insufficient calibration data: the static cache of block %d saw no sample", block);
        }
        fixed.put(block, new Params(r.keys.params(rounding.quantizer()), r.values.params(rounding.quantizer())));
    }

    /** Parameters of the blocks that are frozen. */
    public Map<Integer, Params> params() {
        return Map.copyOf(fixed);
    }

    @Override
    public int length(int block) {
        return blocks.containsKey(block) ? blocks.get(block).tokens() : 0;
    }

    @Override
    public KeysValues append(int block, AttentionSpec spec, KeysValues fresh, int batch) {
        Params p = fixed.get(block);
        if (p == null) {
            Ranges r = seen.computeIfAbsent(block, b -> new Ranges(StaticRange.of(rounding.quantizer().scheme()), StaticRange.of(rounding.quantizer().scheme())));
            add(r.keys, fresh.keys(), fresh.tokens());
            add(r.values, fresh.values(), fresh.tokens());
            return fresh;
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
