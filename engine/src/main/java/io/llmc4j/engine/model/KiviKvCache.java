package io.llmc4j.engine.model;

import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.tensor.Matrix;
import java.util.HashMap;
import java.util.Map;

/**
 * KIVI (arXiv 2402.02750): a rounded history and a residual window of unrounded recent states. A first pass attends to unrounded states.
 *
 * <p>{@link Variant#PAPER}: whole windows of {@code residualLength} tokens are rounded once, keys per channel over the window, values per token.
 * {@link Variant#LLMC}: keys and values alike by the quantizer's granularity; the first pass is rounded as a whole; when the window is full the whole
 * history is rounded again.
 */
public final class KiviKvCache implements KvCache {

    public enum Variant { PAPER, LLMC }

    private record State(KeysValues rounded, KeysValues residual) {
        int tokens() {
            return rounded.tokens() + residual.tokens();
        }
    }

    private final KvRounding rounding;
    private final int residualLength;
    private final Variant variant;
    private final Map<Integer, State> blocks = new HashMap<>();

    /** @param residualLength tokens of the window, at least 1 */
    public KiviKvCache(Quantizer quantizer, int residualLength, Variant variant) {
        if (residualLength < 1) {
            throw new IllegalArgumentException("residual length " + residualLength);
        }
        this.rounding = new KvRounding(quantizer);
        this.residualLength = residualLength;
        this.variant = variant;
    }

    @Override
    public int length(int block) {
        return blocks.containsKey(block) ? blocks.get(block).tokens() : 0;
    }

    @Override
    public KeysValues append(int block, AttentionSpec spec, KeysValues fresh, int batch) {
        State state = blocks.get(block);
        if (state == null) {
            blocks.put(block, variant == Variant.LLMC ? new State(roundAll(fresh, spec), nothing(fresh)) : flush(nothing(fresh), fresh, spec, batch));
            return fresh;
        }
        KeysValues window = state.residual.then(fresh, batch);
        KeysValues all = state.rounded.then(window, batch);
        if (variant == Variant.PAPER) {
            blocks.put(block, flush(state.rounded, window, spec, batch));
        } else {
            int residual = state.residual.tokens();
            boolean full = residual > 0 && residual + 1 >= residualLength;
            blocks.put(block, full ? new State(roundAll(all, spec), nothing(fresh)) : new State(state.rounded, window));
        }
        return all;
    }

    /** Rounds the full windows at the front of {@code recent}. */
    private State flush(KeysValues rounded, KeysValues recent, AttentionSpec spec, int batch) {
        KeysValues done = rounded;
        int at = 0;
        for (; at + residualLength <= recent.tokens(); at += residualLength) {
            KeysValues window = part(recent, at, at + residualLength, batch);
            Matrix keys = rounding.roundByChannel(window.keys(), residualLength);
            done = done.then(new KeysValues(keys, rounding.round(window.values(), spec.kvHeads()), residualLength), batch);
        }
        return new State(done, part(recent, at, recent.tokens(), batch));
    }

    private KeysValues roundAll(KeysValues s, AttentionSpec spec) {
        return new KeysValues(rounding.round(s.keys(), spec.kvHeads()), rounding.round(s.values(), spec.kvHeads()), s.tokens());
    }

    private static KeysValues nothing(KeysValues like) {
        return new KeysValues(new Matrix(0, like.keys().cols()), new Matrix(0, like.values().cols()), 0);
    }

    private static KeysValues part(KeysValues s, int from, int to, int batch) {
        return new KeysValues(part(s.keys(), s.tokens(), from, to, batch), part(s.values(), s.tokens(), from, to, batch), to - from);
    }

    private static Matrix part(Matrix x, int tokens, int from, int to, int batch) {
        Matrix out = new Matrix(batch * (to - from), x.cols());
        for (int b = 0; b < batch; b++) {
            System.arraycopy(x.data(), (b * tokens + from) * x.cols(), out.data(), b * (to - from) * x.cols(), (to - from) * x.cols());
        }
        return out;
    }
}
