package io.llmc4j.engine.model;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.tensor.Matrix;

/**
 * What a block rounds besides the inputs of its linear layers ({@code quant_attn}, {@code quant_softmax}, {@code quant_act_fn}; spec 2.12): queries, keys and
 * values by token and head, and each row of scores (what the softmax is given) and of probabilities over the keys that the row sees. LLMC rounds keys
 * by feature over all tokens, so that a token's score depends on those after it, and lets the mask's lowest float set the range of scores; neither is kept.
 *
 * @param attention the operands of both products of attention
 * @param softmax   the softmax's input
 * @param function  the input of the activation function of the feed-forward half
 */
public record InnerRounding(Quantizer quantizer, boolean attention, boolean softmax, boolean function) {

    /** Throws BadInput (CONFIG) for ranges that are not found row by row. */
    public InnerRounding {
        Granularity.Kind kind = quantizer.scheme().granularity().kind();
        if (quantizer.scheme().isStatic() || kind != Granularity.Kind.PER_TOKEN) {
            throw BadInput.of(BadInput.Common.CONFIG, "quant_attn, quant_softmax and quant_act_fn round rows as they come: they need quant.act.granularity per_token and "
                    + "static: False, found %s%s", kind.name().toLowerCase(java.util.Locale.ROOT), quantizer.scheme().isStatic() ? " and static: True" : "");
        }
    }

    /** @param x [rows, heads * features]: a range for each row and head */
    Matrix byHead(Matrix x, int heads) {
        Matrix y = quantizer.fakeQuantize(new Matrix(x.rows() * heads, x.cols() / heads, x.data()));
        return new Matrix(x.rows(), x.cols(), y.data());
    }

    /** Columns {@code from} to {@code to - 1} of one row, in place, with one range. */
    void row(float[] data, int from, int to) {
        Matrix seen = new Matrix(1, to - from, java.util.Arrays.copyOfRange(data, from, to));
        System.arraycopy(quantizer.fakeQuantize(seen).data(), 0, data, from, to - from);
    }

    /** The activation function's input, in place. */
    void function(Matrix x) {
        quantizer.fakeQuantizeInto(x, x);
    }
}
