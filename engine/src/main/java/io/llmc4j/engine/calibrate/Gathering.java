package io.llmc4j.engine.calibrate;

import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.method.Need;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Optional;
import java.util.Set;

/**
 * What has been gathered of one distinct input, which several layers may share: its chunks, its Hessian, its channel maxima.
 * Fed chunk by chunk during a pass.
 */
public final class Gathering implements AutoCloseable {

    private final Set<Need> what;
    private final Optional<StoredInputs> inputs;
    private final Optional<HessianSum> hessian;
    private final Optional<float[]> maxima;

    public Gathering(Set<Need> what, int features, StateStore store, String name) {
        this.what = Set.copyOf(what);
        inputs = what.contains(Need.INPUTS) ? Optional.of(new StoredInputs(store.states(name), features)) : Optional.empty();
        hessian = what.contains(Need.HESSIANS) ? Optional.of(new HessianSum(features)) : Optional.empty();
        maxima = what.contains(Need.CHANNEL_MAXIMA) ? Optional.of(new float[features]) : Optional.empty();
    }

    public Set<Need> what() {
        return what;
    }

    /**
     * @param layer whose online rotation a Hessian sees
     * @param routed experts: a chunk is not whole sequences, and LLMC counts it as one sample a batch
     */
    public void add(Linear layer, Matrix x, int batch, int tokens, int logicalBatch, boolean routed) {
        inputs.ifPresent(i -> i.add(logicalBatch, new Hidden(batch, tokens, x)));
        maxima.ifPresent(m -> max(x, m));
        hessian.ifPresent(h -> {
            if (routed) {
                h.addRouted(layer, x, logicalBatch);
            } else {
                h.addSequences(layer, x, batch, tokens);
            }
        });
    }

    private static void max(Matrix x, float[] m) {
        for (int r = 0; r < x.rows(); r++) {
            int at = r * x.cols();
            for (int c = 0; c < m.length; c++) {
                m[c] = Math.max(m[c], Math.abs(x.data()[at + c]));
            }
        }
    }

    public StoredInputs inputs() {
        return inputs.orElseThrow();
    }

    /** (2 / samples) XᵀX, a copy. */
    public Matrix hessian() {
        return hessian.orElseThrow().value();
    }

    public float[] maxima() {
        return maxima.orElseThrow().clone();
    }

    /** Whether it can follow a scale: what is streamed cannot, except maxima. */
    public boolean divide(float[] scale) {
        inputs.ifPresent(in -> {
            for (int c = 0; c < in.chunks(); c++) {
                Hidden h = in.chunk(c);
                divideRows(h.data(), scale);
                in.set(c, h);
            }
        });
        maxima.ifPresent(m -> {
            for (int i = 0; i < m.length; i++) {
                m[i] /= scale[i];
            }
        });
        return hessian.isEmpty();
    }

    /** x[:, j] -= shift[j]. Only inputs can follow a shift. */
    public boolean shift(float[] shift) {
        inputs.ifPresent(in -> {
            for (int c = 0; c < in.chunks(); c++) {
                Hidden h = in.chunk(c);
                for (int r = 0; r < h.data().rows(); r++) {
                    for (int j = 0; j < shift.length; j++) {
                        h.data().data()[r * shift.length + j] -= shift[j];
                    }
                }
                in.set(c, h);
            }
        });
        return hessian.isEmpty() && maxima.isEmpty();
    }

    /** x[:, j] /= scale[j]. */
    public static void divideRows(Matrix x, float[] scale) {
        Parallel.forRange(x.rows(), (from, to) -> {
            for (int r = from; r < to; r++) {
                int at = r * x.cols();
                for (int j = 0; j < scale.length; j++) {
                    x.data()[at + j] /= scale[j];
                }
            }
        });
    }

    @Override
    public void close() {
        inputs.ifPresent(StoredInputs::close);
    }
}
