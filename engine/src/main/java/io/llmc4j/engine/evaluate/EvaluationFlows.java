package io.llmc4j.engine.evaluate;

import io.llmc4j.engine.calibrate.StateStore;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.KvCache;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.PlainKvCache;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** All evaluations of a run, each in all versions of the model that it asks for. */
public final class EvaluationFlows implements AutoCloseable {

    /**
     * What attention sees in each version of the model.
     *
     * @param quantized      an empty cache of the quantized version
     * @param llmcCompatible the version without a quantized cache has one all the same (ODD-18), and the texts of decode_ppl share their history (ODD-81)
     */
    public record Caches(Supplier<KvCache> quantized, boolean llmcCompatible) {

        Supplier<KvCache> of(Evaluation e, Position p) {
            boolean rounded = p == Position.FAKE_QUANT || p == Position.FAKE_QUANT_WITHOUT_KV && llmcCompatible;
            if (e.kind() != Evaluation.Kind.DECODE_PERPLEXITY) {
                return rounded ? quantized : () -> KvCache.NONE;
            }
            Supplier<KvCache> fresh = () -> {
                KvCache c = rounded ? quantized.get() : KvCache.NONE;
                return c == KvCache.NONE ? new PlainKvCache() : c;
            };
            if (!llmcCompatible) {
                return fresh;
            }
            return new Supplier<>() {
                private KvCache shared;

                @Override
                public KvCache get() {
                    shared = shared == null ? fresh.get() : shared;
                    return shared;
                }
            };
        }
    }

    private final ModelEnds original;
    private final ModelEnds compressed;
    private final List<EvaluationFlow> flows = new ArrayList<>();

    /**
     * @param original   ends of the model as it came
     * @param compressed ends after rotations and the like
     * @param caches     what attention sees
     */
    public EvaluationFlows(Decoder decoder, ModelEnds original, ModelEnds compressed, List<Evaluation> evaluations, StateStore store, int chunkTokens,
                           Caches caches) {
        this.original = original;
        this.compressed = compressed;
        for (Evaluation e : evaluations) {
            for (Position p : Position.values()) {
                boolean reference = p == Position.PRETRAIN && e.kind() == Evaluation.Kind.TOKEN_AGREEMENT;
                if (e.positions().contains(p) || reference) {
                    flows.add(new EvaluationFlow(decoder, p == Position.PRETRAIN ? original : compressed, e, p, store, chunkTokens,
                            caches.of(e, p)));
                }
            }
        }
    }

    /** What waits between blocks, by a name that is the same in every process. */
    public Map<String, StateStore.States> states() {
        Map<String, StateStore.States> out = new LinkedHashMap<>();
        for (int i = 0; i < flows.size(); i++) {
            out.put("evaluation." + i, flows.get(i).states());
        }
        return out;
    }

    public boolean any(Position position) {
        return flows.stream().anyMatch(f -> f.position() == position);
    }

    /** The windows of these versions through the block as it is now. */
    public void through(Block block, Position first, Position... more) {
        List<Position> positions = new ArrayList<>(List.of(more));
        positions.add(first);
        flows.stream().filter(f -> positions.contains(f.position())).forEach(f -> f.through(block));
    }

    /** After the last block: values in order of evaluations and positions. */
    public List<EvaluationResult> results(Consumer<EvaluationResult> each) {
        List<EvaluationResult> out = new ArrayList<>();
        int[] reference = new int[0];
        for (EvaluationFlow f : flows) {
            ModelEnds ends = f.position() == Position.PRETRAIN ? original : compressed;
            double value;
            if (f.evaluation().kind() != Evaluation.Kind.TOKEN_AGREEMENT) {
                value = f.perplexity(ends);
            } else {
                int[] tokens = f.mostLikely(ends);
                reference = f.position() == Position.PRETRAIN ? tokens : reference;
                value = agreement(tokens, reference);
            }
            if (f.evaluation().positions().contains(f.position())) {
                EvaluationResult r = f.result(value);
                out.add(r);
                each.accept(r);
            }
        }
        return out;
    }

    private static double agreement(int[] a, int[] b) {
        int same = 0;
        for (int i = 0; i < a.length; i++) {
            same += a[i] == b[i] ? 1 : 0;
        }
        return (double) same / a.length;
    }

    @Override
    public void close() {
        flows.forEach(EvaluationFlow::close);
    }
}
