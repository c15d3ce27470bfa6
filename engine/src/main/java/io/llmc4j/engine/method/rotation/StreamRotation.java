package io.llmc4j.engine.method.rotation;

import io.llmc4j.engine.linalg.Hadamard;
import io.llmc4j.engine.linalg.Rotation;
import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;

/**
 * Turns a model's residual stream by an orthogonal Q (QuaRot, arXiv 2404.00456, section 4): norm gains move into the layers behind them, what reads the
 * stream becomes W Q, what writes to it Qᵀ W. LayerNorm models first lose the mean of what is written, so that their norms become RMS norms.
 *
 * @param online whether down projections and attention outputs get their inputs Hadamard-rotated while the model runs
 */
public record StreamRotation(Rotation q, boolean online) {

    /** Rows of an embedding that are turned together. */
    private static final int PANEL = 4096;

    /**
     * Embedding (its mean removed, as LLMC does for every family, ODD-62), learned positions, final norm, head; the head is untied.
     *
     * @param removeMean false keeps the embedding's mean where the norms do not remove it anyway (RMS norms), which is exact
     */
    public ModelEnds ends(ModelEnds ends, boolean removeMean) {
        Norm last = ends.finalNorm().orElseThrow();
        boolean centered = removeMean || last.kind() == Norm.Kind.LAYER;
        Tensor head = ends.head().orElse(ends.embedding());
        float[] bias = fusedBias(head, last, ends.headBias());
        ModelEnds out = ends.withHead(rows(head, m -> q.timesOnRight(columnsTimes(m, last.weight()))), bias)
                .withFinalNorm(new Norm(last.name(), Norm.Kind.RMS, last.eps(), ones(last.weight().length), new float[0]))
                .withEmbedding(rows(ends.embedding(), m -> q.timesOnRight(centered ? withoutMean(m) : m)));
        return ends.positions().isPresent() ? out.withPositions(rows(ends.positions().get(), m -> q.timesOnRight(centered ? withoutMean(m) : m))) : out;
    }

    private interface Panel {
        Matrix map(Matrix rows);
    }

    private static Tensor rows(Tensor t, Panel panel) {
        Tensor out = Tensor.allocate(t.dtype(), t.shape(), Arena.ofAuto());
        long rows = t.shape().dim(0);
        for (long r = 0; r < rows; r += PANEL) {
            long to = Math.min(rows, r + PANEL);
            Matrix m = panel.map(Tensors.toMatrix(Tensors.rows(t, r, to)));
            Tensors.store(out, r * m.cols(), m.data(), 0, m.data().length);
        }
        return out;
    }

    /** The final norm's bias passes through the head. */
    private static float[] fusedBias(Tensor head, Norm last, float[] bias) {
        if (last.bias().length == 0) {
            return bias;
        }
        int rows = Math.toIntExact(head.shape().dim(0));
        float[] out = bias.length == 0 ? new float[rows] : bias.clone();
        for (int r = 0; r < rows; r++) {
            Matrix w = Tensors.toMatrix(Tensors.rows(head, r, r + 1));
            double sum = 0;
            for (int j = 0; j < w.cols(); j++) {
                sum += (double) w.data()[j] * last.bias()[j];
            }
            out[r] += (float) sum;
        }
        return out;
    }

    /** One block, in place. */
    public void block(Block b) {
        boolean layerNorm = b.norm(NormSlot.ATTENTION_INPUT).orElseThrow().kind() == Norm.Kind.LAYER;
        NormSlot mlpNorm = StreamRoles.mlpNorm(b);
        List<Linear> attention = StreamRoles.attentionReaders(b).stream().filter(l -> l.role() != Role.Q || b.linear(Role.Q_A).isEmpty()).toList();
        attention.forEach(l -> read(l, b.norm(NormSlot.ATTENTION_INPUT).orElseThrow()));
        StreamRoles.mlpReaders(b).forEach(l -> read(l, b.norm(mlpNorm).orElseThrow()));
        for (NormSlot slot : List.of(NormSlot.ATTENTION_INPUT, NormSlot.MLP_INPUT)) {
            b.norm(slot).ifPresent(StreamRotation::plain);
        }
        StreamRoles.writers(b).forEach(l -> write(l, layerNorm));
        if (online) {
            online(b);
        }
    }

    private void read(Linear l, Norm norm) {
        Matrix w = l.weight();
        if (norm.bias().length > 0) {
            float[] b = l.bias().length == 0 ? new float[l.out()] : l.bias();
            for (int r = 0; r < w.rows(); r++) {
                double sum = b[r];
                for (int c = 0; c < w.cols(); c++) {
                    sum += (double) w.get(r, c) * norm.bias()[c];
                }
                b[r] = (float) sum;
            }
            l.setBias(b);
        }
        l.setWeight(q.timesOnRight(columnsTimes(w, norm.weight())));
    }

    private void write(Linear l, boolean bakeMean) {
        Matrix w = bakeMean ? withoutColumnMean(l.weight()) : l.weight();
        l.setWeight(q.transposedTimes(w));
        if (l.bias().length > 0) {
            float[] b = l.bias();
            if (bakeMean) {
                b = withoutMean(new Matrix(1, b.length, b.clone())).data();
            }
            l.setBias(q.transposedTimes(b));
        }
    }

    /** RMS norm of gain 1: what the rotation leaves of a norm. */
    private static void plain(Norm n) {
        n.setKind(Norm.Kind.RMS);
        n.setWeight(ones(n.weight().length));
        n.setBias(new float[0]);
    }

    private void online(Block b) {
        AttentionSpec a = b.spec().attention();
        Linear down = b.linear(Role.DOWN).orElseThrow();
        Hadamard wide = Hadamard.forSize(down.in());
        wide.transformRows(down.weight());
        down.weightChanged();

        Linear v = b.linear(Role.V).orElseThrow();
        headsOfOutput(v, a.valueDim());
        Linear o = b.linear(Role.O).orElseThrow();
        Hadamard.forSize(o.in()).transformRows(o.weight());
        o.weightChanged();
        rotateInputs(b);
    }

    /** Only what happens while the model runs: for a block whose weights are those of a rotated model already. */
    public static void rotateInputs(Block b) {
        AttentionSpec a = b.spec().attention();
        Linear down = b.linear(Role.DOWN).orElseThrow();
        down.setInputRotation(Hadamard.forSize(down.in())::transformRows);
        b.linear(Role.O).orElseThrow().setInputRotation(new AcrossHeads(a.heads(), a.valueDim()));
    }

    /** Walsh-Hadamard inside every head of the output of a value projection, bias included. */
    private static void headsOfOutput(Linear v, int headDim) {
        Hadamard inner = Hadamard.forSize(headDim);
        Matrix t = v.weight().transpose();
        inner.transformRows(new Matrix(t.rows() * (t.cols() / headDim), headDim, t.data()));
        v.setWeight(t.transpose());
        if (v.bias().length > 0) {
            float[] bias = v.bias().clone();
            inner.transformRows(new Matrix(bias.length / headDim, headDim, bias));
            v.setBias(bias);
        }
    }

    /** Each feature of a head is transformed over the heads: with the transform inside the heads this makes the whole Hadamard matrix. */
    private record AcrossHeads(int heads, int headDim) implements Linear.InputRotation {

        @Override
        public void rotate(Matrix x) {
            Hadamard across = Hadamard.forSize(heads);
            Matrix byHead = new Matrix(x.rows() * headDim, heads);
            int n = x.cols();
            for (int r = 0; r < x.rows(); r++) {
                for (int h = 0; h < heads; h++) {
                    for (int d = 0; d < headDim; d++) {
                        byHead.data()[(r * headDim + d) * heads + h] = x.data()[r * n + h * headDim + d];
                    }
                }
            }
            across.transformRows(byHead);
            for (int r = 0; r < x.rows(); r++) {
                for (int h = 0; h < heads; h++) {
                    for (int d = 0; d < headDim; d++) {
                        x.data()[r * n + h * headDim + d] = byHead.data()[(r * headDim + d) * heads + h];
                    }
                }
            }
        }
    }

    private static Matrix columnsTimes(Matrix w, float[] gain) {
        Matrix out = new Matrix(w.rows(), w.cols());
        for (int r = 0; r < w.rows(); r++) {
            for (int c = 0; c < w.cols(); c++) {
                out.data()[r * w.cols() + c] = w.data()[r * w.cols() + c] * gain[c];
            }
        }
        return out;
    }

    private static Matrix withoutMean(Matrix m) {
        Matrix out = new Matrix(m.rows(), m.cols());
        for (int r = 0; r < m.rows(); r++) {
            double sum = 0;
            for (int c = 0; c < m.cols(); c++) {
                sum += m.get(r, c);
            }
            double mean = sum / m.cols();
            for (int c = 0; c < m.cols(); c++) {
                out.set(r, c, (float) (m.get(r, c) - mean));
            }
        }
        return out;
    }

    /** Removes from every column its mean over the rows: what the layer writes then sums to zero. */
    private static Matrix withoutColumnMean(Matrix w) {
        return withoutMean(w.transpose()).transpose();
    }

    private static float[] ones(int n) {
        float[] v = new float[n];
        Arrays.fill(v, 1f);
        return v;
    }
}
