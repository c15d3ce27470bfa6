package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.KiviKvCache;
import io.llmc4j.engine.model.KvCache;
import io.llmc4j.engine.model.NaiveKvCache;
import io.llmc4j.engine.model.StaticKvCache;
import io.llmc4j.engine.quant.Quantizer;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * The caches of keys and values that passes over the compressed model see ({@code quant.kvcache}; spec 3.20), calibration passes included.
 *
 * <p>Static ranges are found in the float pass over each block. Passes that gather for static activations are float too, so a block is frozen after
 * them; where a stage runs the block again, right after the float pass, as LLMC has it.
 */
final class KvCaches {

    private final Supplier<KvCache> dynamic;
    private final Optional<StaticKvCache> calibrated;
    private boolean inFloatPass;
    private boolean frozen;

    private KvCaches(Supplier<KvCache> dynamic, Optional<StaticKvCache> calibrated) {
        this.dynamic = dynamic;
        this.calibrated = calibrated;
    }

    /** Throws BadInput (CONFIG) for what no cache can do. Kivi is the paper's, or LLMC's under compat (ODD-72). */
    static KvCaches of(RunConfig config) {
        if (config.kvCache().isEmpty()) {
            return new KvCaches(() -> KvCache.NONE, Optional.empty());
        }
        KvCacheScheme s = config.kvCache().get();
        Quantizer q = Quantizer.of(s.scheme(), config.llmcCompatible());
        boolean kivi = switch (s.method()) {
            case "Kivi" -> true;
            case "Naive" -> false;
            default -> throw BadInput.of(BadInput.Common.CONFIG, "quant.kvcache.method is '%s'; it can be Naive or Kivi", s.method());
        };
        if (s.scheme().isStatic()) {
            if (kivi) {
                throw new BadInput(BadInput.Common.CONFIG, "quant.kvcache.method Kivi has no static scales; use Naive, or dynamic activations");
            }
            return new KvCaches(() -> KvCache.NONE, Optional.of(new StaticKvCache(q)));
        }
        KiviKvCache.Variant variant = config.llmcCompatible() ? KiviKvCache.Variant.LLMC : KiviKvCache.Variant.PAPER;
        Supplier<KvCache> fresh = kivi ? () -> new KiviKvCache(q, s.residualLength(), variant) : () -> new NaiveKvCache(q);
        // A cache that cannot be made says so before the first block is read.
        fresh.get();
        return new KvCaches(fresh, Optional.empty());
    }

    boolean calibrates() {
        return calibrated.isPresent();
    }

    /** An empty cache for the sequences of one pass; it remembers nothing when keys and values stay float. */
    KvCache fresh() {
        return calibrated.isPresent() && (inFloatPass || frozen) ? calibrated.get().fresh() : dynamic.get();
    }

    void beginBlock() {
        frozen = false;
    }

    /** Static ranges take in what this pass sees. */
    void floatPass(Runnable pass) {
        inFloatPass = true;
        try {
            pass.run();
        } finally {
            inFloatPass = false;
        }
    }

    /** The parameters of a block whose ranges are fixed; empty when the cache is not static. */
    Optional<StaticKvCache.Params> params(int block) {
        return calibrated.map(c -> c.params().get(block));
    }

    /** Fixes the static ranges of a block, once. */
    void freeze(int block) {
        if (!frozen) {
            calibrated.ifPresent(c -> c.freeze(block));
            frozen = true;
        }
    }
}
