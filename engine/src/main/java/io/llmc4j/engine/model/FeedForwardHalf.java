package io.llmc4j.engine.model;

import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.kernel.FloatMath;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Supplier;

/** The feed-forward half of a block as a module: dense, or a mixture of experts with its router and shared expert. */
final class FeedForwardHalf {

    private final Decoder decoder;
    private final Block block;
    private final FeedForwardSpec spec;
    private final int batch;
    private final int tokens;
    private final ForwardHooks hooks;

    FeedForwardHalf(Decoder decoder, Block block, int batch, int tokens, ForwardHooks hooks) {
        this.decoder = decoder;
        this.block = block;
        this.spec = block.spec().feedForward();
        this.batch = batch;
        this.tokens = tokens;
        this.hooks = hooks;
    }

    /** @param x the normed input [batch * tokens, hidden] */
    Matrix forward(Matrix x) {
        if (spec.experts().isEmpty()) {
            return dense(x, Role.GATE, Role.UP, Role.DOWN);
        }
        FeedForwardSpec.Experts experts = spec.experts().get();
        Matrix logits = decoder.linear(block.linear(Role.ROUTER).orElseThrow(), x, batch, tokens, hooks);
        ExpertRouter.Choice choice = ExpertRouter.choose(logits, experts, block.vectors().getOrDefault("router_correction", new float[0]));
        Matrix out = new Matrix(x.rows(), x.cols());
        for (int e = 0; e < experts.count(); e++) {
            addExpert(x, e, choice, out);
        }
        if (experts.sharedIntermediate() > 0) {
            addShared(x, experts, out);
        }
        return out;
    }

    private Matrix dense(Matrix x, Role gate, Role up, Role down) {
        Linear upLayer = block.linear(up).orElseThrow();
        Linear downLayer = block.linear(down).orElseThrow();
        Optional<Linear> gateLayer = spec.gated() ? Optional.of(block.linear(gate).orElseThrow()) : Optional.empty();
        Supplier<Matrix> activated = () -> activated(x, gateLayer, upLayer, batch, tokens);
        return decoder.linear(downLayer, down == Role.DOWN ? hooks.at(Waypoint.DOWN_INPUT, activated) : activated.get(), batch, tokens, hooks);
    }

    /** The last layer's input. */
    private Matrix activated(Matrix x, Optional<Linear> gate, Linear up, int samples, int perSample) {
        // The gate runs first: hooks see layers in module order.
        Matrix g = gate.isPresent() ? decoder.linear(gate.get(), x, samples, perSample, hooks) : null;
        Matrix u = decoder.linear(up, x, samples, perSample, hooks);
        block.innerRounding().filter(InnerRounding::function).ifPresent(f -> f.function(g == null ? u : g));
        if (g == null) {
            activate(spec.activation(), u);
        } else if (spec.clamp() > 0) {
            clampedGate(g, u);
        } else {
            activate(spec.activation(), g);
            multiply(g, u);
        }
        return u;
    }

    private static void activate(Activation f, Matrix x) {
        Kernels kernels = Kernels.get();
        Parallel.forRange(x.rows(), (from, to) -> kernels.activate(f, (to - from) * x.cols(), x.data(), from * x.cols()));
    }

    /** u *= g. */
    private static void multiply(Matrix g, Matrix u) {
        Kernels kernels = Kernels.get();
        Parallel.forRange(u.rows(), (from, to) -> {
            int at = from * u.cols();
            kernels.multiply((to - from) * u.cols(), g.data(), at, u.data(), at, u.data(), at);
        });
    }

    /** GPT-OSS: u = (clamp(u) + 1) * g * sigmoid(1.702 g) with g at most the limit. */
    private void clampedGate(Matrix g, Matrix u) {
        float limit = spec.clamp();
        Parallel.forRange(u.rows(), (from, to) -> {
            for (int i = from * u.cols(); i < to * u.cols(); i++) {
                float gate = Math.min(g.data()[i], limit);
                float up = Math.max(-limit, Math.min(limit, u.data()[i]));
                u.data()[i] = (up + 1f) * (gate * FloatMath.sigmoid(1.702f * gate));
            }
        });
    }

    /** Experts add in index order, so the sum does not depend on threads. */
    private void addExpert(Matrix x, int expert, ExpertRouter.Choice choice, Matrix out) {
        int[] chosen = choice.rowsOf(expert);
        hooks.expertTokens(block, expert, chosen.length);
        int other = hooks.tokensOf(expert);
        int[] rows = hooks.allTokensToAllExperts() ? all(x.rows()) : chosen.length == 0 && other != expert ? choice.rowsOf(other) : chosen;
        if (rows.length == 0) {
            return;
        }
        Matrix routed = new Matrix(rows.length, x.cols());
        for (int i = 0; i < rows.length; i++) {
            System.arraycopy(x.data(), rows[i] * x.cols(), routed.data(), i * x.cols(), x.cols());
        }
        Optional<Linear> gate = spec.gated() ? Optional.of(block.linear(Role.EXPERT_GATE, expert)) : Optional.empty();
        Matrix u = activated(routed, gate, block.linear(Role.EXPERT_UP, expert), 1, rows.length);
        Matrix y = decoder.linear(block.linear(Role.EXPERT_DOWN, expert), u, 1, rows.length, hooks);
        Kernels kernels = Kernels.get();
        for (int i = 0; i < rows.length; i++) {
            float weight = choice.weight(rows[i], expert);
            if (weight != 0) {
                kernels.axpy(x.cols(), weight, y.data(), i * x.cols(), out.data(), rows[i] * x.cols());
            }
        }
    }

    private void addShared(Matrix x, FeedForwardSpec.Experts experts, Matrix out) {
        Matrix y = dense(x, Role.SHARED_GATE, Role.SHARED_UP, Role.SHARED_DOWN);
        float[] scale = new float[x.rows()];
        Arrays.fill(scale, 1f);
        if (experts.sharedGate()) {
            Matrix g = decoder.linear(block.linear(Role.SHARED_EXPERT_GATE).orElseThrow(), x, batch, tokens, hooks);
            for (int r = 0; r < scale.length; r++) {
                scale[r] = FloatMath.sigmoid(g.data()[r]);
            }
        }
        Kernels kernels = Kernels.get();
        for (int r = 0; r < scale.length; r++) {
            kernels.axpy(x.cols(), scale[r], y.data(), r * x.cols(), out.data(), r * x.cols());
        }
    }

    private static int[] all(int n) {
        int[] rows = new int[n];
        Arrays.setAll(rows, i -> i);
        return rows;
    }
}
