package io.llmc4j.engine.model;

import io.llmc4j.engine.quant.Quantizer;
import java.util.HashMap;
import java.util.Map;

/**
 * LLMC's Naive cache: what is stored is rounded. A first pass attends to its rounded states; later passes attend to the stored states and their
 * own unrounded ones, and then the whole history is rounded again.
 */
public final class NaiveKvCache implements KvCache {

    private final KvRounding rounding;
    private final Map<Integer, KeysValues> blocks = new HashMap<>();

    /** @param quantizer per token, per group or per tensor, dynamic */
    public NaiveKvCache(Quantizer quantizer) {
        this.rounding = new KvRounding(quantizer);
    }

    @Override
    public int length(int block) {
        return blocks.containsKey(block) ? blocks.get(block).tokens() : 0;
    }

    @Override
    public KeysValues append(int block, AttentionSpec spec, KeysValues fresh, int batch) {
        KeysValues stored = blocks.get(block);
        KeysValues all = stored == null ? fresh : stored.then(fresh, batch);
        KeysValues rounded = new KeysValues(rounding.round(all.keys(), spec.kvHeads()), rounding.round(all.values(), spec.kvHeads()), all.tokens());
        blocks.put(block, rounded);
        return stored == null ? rounded : all;
    }
}
