package io.llmc4j.engine.model;

import java.util.HashMap;
import java.util.Map;

/** Keeps keys and values as they are, in float32. */
public final class PlainKvCache implements KvCache {

    private final Map<Integer, KeysValues> blocks = new HashMap<>();

    @Override
    public int length(int block) {
        KeysValues kept = blocks.get(block);
        return kept == null ? 0 : kept.tokens();
    }

    @Override
    public KeysValues append(int block, AttentionSpec spec, KeysValues fresh, int batch) {
        KeysValues kept = blocks.get(block);
        KeysValues all = kept == null ? fresh : kept.then(fresh, batch);
        blocks.put(block, all);
        return all;
    }
}
