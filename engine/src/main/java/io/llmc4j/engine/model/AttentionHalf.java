package io.llmc4j.engine.model;

import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Optional;

/** The attention half of a block as a module: projections, q/k norms, positions, cache, scores, output projection. */
final class AttentionHalf {

    private final Decoder decoder;
    private final Block block;
    private final AttentionSpec spec;
    private final int batch;
    private final int tokens;
    private final ForwardHooks hooks;
    private final KvCache cache;

    AttentionHalf(Decoder decoder, Block block, int batch, int tokens, ForwardHooks hooks, KvCache cache) {
        this.decoder = decoder;
        this.block = block;
        this.spec = block.spec().attention();
        this.batch = batch;
        this.tokens = tokens;
        this.hooks = hooks;
        this.cache = cache;
    }

    /** @param x the normed input [batch * tokens, hidden] */
    Matrix forward(Matrix x) {
        return linear(Role.O, hooks.at(Waypoint.MIXED, () -> mixed(x)));
    }

    private Matrix mixed(Matrix x) {
        int first = cache.length(block.index());
        Matrix q;
        KvCache.KeysValues fresh;
        if (spec.latent().isPresent()) {
            AttentionSpec.Latent latent = spec.latent().get();
            q = latentQueries(x, latent);
            Matrix compressed = linear(Role.KV_A, x);
            Matrix sharedKey = columns(compressed, latent.kvRank(), latent.ropeDim());
            rotate(q, spec.heads(), latent.nopeDim(), first);
            rotateShared(sharedKey, latent.ropeDim(), first);
            Matrix c = norm(NormSlot.KV_LATENT, columns(compressed, 0, latent.kvRank()));
            fresh = expand(linear(Role.KV_B, c), sharedKey, latent);
        } else {
            q = normHeads(NormSlot.Q, linear(Role.Q, x), spec.heads());
            Matrix k = normHeads(NormSlot.K, linear(Role.K, x), spec.kvHeads());
            rotate(q, spec.heads(), 0, first);
            rotate(k, spec.kvHeads(), 0, first);
            fresh = new KvCache.KeysValues(k, linear(Role.V, x), tokens);
        }
        scaleByLength(q, first);
        KvCache.KeysValues all = cache.append(block.index(), spec, fresh, batch);
        return new Attention(spec, block.vectors().getOrDefault("sinks", new float[0]), block.innerRounding()).forward(q, all, batch, tokens);
    }

    private Matrix linear(Role role, Matrix x) {
        Linear layer = block.linear(role).orElseThrow(() -> new IllegalStateException("block " + block.index() + " has no " + role));
        return decoder.linear(layer, x, batch, tokens, hooks);
    }

    private Matrix norm(NormSlot slot, Matrix x) {
        Optional<Norm> n = block.norm(slot);
        return n.isPresent() ? n.get().apply(x) : x;
    }

    private Matrix normHeads(NormSlot slot, Matrix x, int heads) {
        return switch (spec.qkNorm()) {
            case NONE -> x;
            case FULL_WIDTH -> norm(slot, x);
            // The same data seen as one row a head.
            case SHARED_BY_HEADS -> {
                Matrix byHead = norm(slot, new Matrix(x.rows() * heads, x.cols() / heads, x.data()));
                yield new Matrix(x.rows(), x.cols(), byHead.data());
            }
            case EACH_HEAD -> block.norm(slot).orElseThrow().applyInParts(x, heads);
        };
    }

    private Matrix latentQueries(Matrix x, AttentionSpec.Latent latent) {
        return latent.qRank() == 0 ? linear(Role.Q, x) : linear(Role.Q_B, norm(NormSlot.Q_LATENT, linear(Role.Q_A, x)));
    }

    private void rotate(Matrix x, int heads, int offset, int first) {
        if (spec.position() instanceof AttentionSpec.Rotary rotary) {
            RotaryTable table = decoder.rotary(rotary, first, tokens);
            int width = x.cols() / heads;
            Parallel.forRange(x.rows(), (from, to) -> {
                for (int r = from; r < to; r++) {
                    table.rotate(x, r, r % tokens, heads, width, offset);
                }
            });
        }
    }

    private void rotateShared(Matrix key, int ropeDim, int first) {
        rotate(key, key.cols() / ropeDim, 0, first);
    }

    /** From [tokens, heads * (nope + value)] and the rotated shared part to whole keys and values. */
    private KvCache.KeysValues expand(Matrix kvb, Matrix shared, AttentionSpec.Latent latent) {
        int nope = latent.nopeDim();
        int rope = latent.ropeDim();
        int value = spec.valueDim();
        Matrix keys = new Matrix(kvb.rows(), spec.heads() * (nope + rope));
        Matrix values = new Matrix(kvb.rows(), spec.heads() * value);
        for (int r = 0; r < kvb.rows(); r++) {
            for (int h = 0; h < spec.heads(); h++) {
                int from = r * kvb.cols() + h * (nope + value);
                int key = r * keys.cols() + h * (nope + rope);
                System.arraycopy(kvb.data(), from, keys.data(), key, nope);
                System.arraycopy(shared.data(), r * rope, keys.data(), key + nope, rope);
                System.arraycopy(kvb.data(), from + nope, values.data(), r * values.cols() + h * value, value);
            }
        }
        return new KvCache.KeysValues(keys, values, tokens);
    }

    private void scaleByLength(Matrix q, int first) {
        if (spec.logitScaling() == 0) {
            return;
        }
        for (int r = 0; r < q.rows(); r++) {
            float by = lengthFactor(spec, first + r % tokens + 1);
            if (by != 1f) {
                for (int i = r * q.cols(); i < (r + 1) * q.cols(); i++) {
                    q.data()[i] *= by;
                }
            }
        }
    }

    /** Log-n scaling (Qwen v1): queries past the trained length n grow by log_n(count of tokens so far). */
    private static float lengthFactor(AttentionSpec spec, int count) {
        return count > spec.logitScaling() ? (float) (StrictMath.log(count) / StrictMath.log(spec.logitScaling())) : 1f;
    }

    /** [batch * tokens, 1] */
    static Matrix lengthFactors(AttentionSpec spec, int batch, int tokens) {
        Matrix m = new Matrix(batch * tokens, 1);
        for (int r = 0; r < m.rows(); r++) {
            m.data()[r] = lengthFactor(spec, r % tokens + 1);
        }
        return m;
    }

    private static Matrix columns(Matrix x, int from, int count) {
        Matrix out = new Matrix(x.rows(), count);
        for (int r = 0; r < x.rows(); r++) {
            System.arraycopy(x.data(), r * x.cols() + from, out.data(), r * count, count);
        }
        return out;
    }
}
