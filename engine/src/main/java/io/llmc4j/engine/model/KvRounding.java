package io.llmc4j.engine.model;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantParams;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.tensor.Matrix;

/**
 * Rounds keys or values as LLMC's cache does: the last axis is one head's features, so per token means per token and head, and groups run inside a head.
 */
final class KvRounding {

    private final Quantizer quantizer;

    KvRounding(Quantizer quantizer) {
        Granularity.Kind kind = quantizer.scheme().granularity().kind();
        if (kind != Granularity.Kind.PER_TOKEN && kind != Granularity.Kind.PER_CHANNEL && kind != Granularity.Kind.PER_GROUP && kind != Granularity.Kind.PER_TENSOR) {
            throw BadInput.of(BadInput.Common.CONFIG, "quant.kvcache.granularity is %s; allowed are per_token, per_group and per_tensor", kind);
        }
        if (quantizer.scheme().format() instanceof NumberFormat.Float f && f.path() == NumberFormat.Float.Path.ADAPTIVE) {
            throw new BadInput(BadInput.Common.CONFIG, "a quantized cache needs a float format of fixed grid; set quant.kvcache.use_qtorch: true");
        }
        this.quantizer = quantizer;
    }

    Quantizer quantizer() {
        return quantizer;
    }

    /** @param x [batch * tokens, heads * features] */
    Matrix round(Matrix x, int heads) {
        return shaped(x, quantizer.fakeQuantize(byHead(x, heads)));
    }

    Matrix round(Matrix x, int heads, QuantParams params) {
        return shaped(x, quantizer.fakeQuantize(byHead(x, heads), params));
    }

    /**
     * One range for each feature over the rows of each sequence.
     *
     * @param tokens rows of one sequence
     */
    Matrix roundByChannel(Matrix x, int tokens) {
        Matrix out = new Matrix(x.rows(), x.cols());
        Quantizer perRow = Quantizer.of(quantizer.scheme().withGranularity(Granularity.PER_CHANNEL));
        for (int from = 0; from < x.rows(); from += tokens) {
            Matrix back = perRow.fakeQuantize(x.rows(from, from + tokens).transpose()).transpose();
            System.arraycopy(back.data(), 0, out.data(), from * x.cols(), back.data().length);
        }
        return out;
    }

    private static Matrix byHead(Matrix x, int heads) {
        return new Matrix(x.rows() * heads, x.cols() / heads, x.data());
    }

    private static Matrix shaped(Matrix like, Matrix y) {
        return new Matrix(like.rows(), like.cols(), y.data());
    }
}
