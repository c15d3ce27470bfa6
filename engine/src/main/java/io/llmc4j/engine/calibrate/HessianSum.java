package io.llmc4j.engine.calibrate;

import io.llmc4j.engine.device.DeviceKernels;
import io.llmc4j.engine.device.ForwardPass;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.tensor.Matrix;

/**
 * (2 / samples) XᵀX in float32, streamed. The sums are cut by sequences (or, where tokens are routed, by a fixed number of rows), never by the
 * chunks in which they come, so memory bounds cannot change a bit.
 */
final class HessianSum {

    /** Routed rows that are added together. */
    private static final int ROUTED = 256;

    private final Matrix sum;
    private final Matrix pending;
    private int waiting;
    private int samples;
    private int lastBatch = -1;
    private boolean routed;

    HessianSum(int features) {
        sum = new Matrix(features, features);
        pending = new Matrix(ROUTED, features);
    }

    /** Whole sequences, each a sample: H = H n / (n + 1), then H += (sqrt(2 / (n + 1)) x)ᵀ (sqrt(2 / (n + 1)) x), LLMC's roundings. */
    void addSequences(Linear layer, Matrix x, int batch, int tokens) {
        Matrix all = rotated(layer, x);
        // A device is sent all sequences at once; the CPU gains nothing by it, and needs a copy of one sequence only.
        int together = Kernels.get() instanceof DeviceKernels ? batch : 1;
        for (int b = 0; b < batch; b += together) {
            float[] shrink = new float[together];
            Matrix part = all.rows(b * tokens, (b + together) * tokens);
            for (int i = 0; i < together; i++) {
                shrink[i] = samples == 0 ? 1f : (float) ((double) samples / (samples + 1));
                samples++;
                Kernels.get().scale(tokens * all.cols(), (float) Math.sqrt(2.0 / samples), part.data(), i * tokens * all.cols());
            }
            decided(() -> Kernels.get().syrkBatches(tokens, all.cols(), part.data(), all.cols(), shrink, sum.data(), sum.cols()));
        }
    }

    /** Tokens of many sequences that were routed to an expert; a sample is a batch in which there was one. */
    void addRouted(Linear layer, Matrix x, int logicalBatch) {
        routed = true;
        if (logicalBatch != lastBatch) {
            samples++;
            lastBatch = logicalBatch;
        }
        Matrix all = rotated(layer, x);
        for (int r = 0; r < all.rows(); r++) {
            System.arraycopy(all.data(), r * all.cols(), pending.data(), waiting++ * all.cols(), all.cols());
            if (waiting == ROUTED) {
                addGram(pending, sum);
                waiting = 0;
            }
        }
    }

    /** A Hessian decides: never with relaxed mathematics, although a forward pass calls. */
    private static void addGram(Matrix x, Matrix h) {
        decided(() -> Products.addGram(x, h));
    }

    private static void decided(Runnable sum) {
        ForwardPass.decision(() -> {
            sum.run();
            return true;
        });
    }

    private static Matrix rotated(Linear layer, Matrix x) {
        if (layer.inputRotation().isEmpty()) {
            return x;
        }
        Matrix copy = x.copy();
        layer.inputRotation().get().rotate(copy);
        return copy;
    }

    /** A copy; all zero when nothing came. */
    Matrix value() {
        Matrix h = sum.copy();
        if (routed) {
            addGram(pending.rows(0, waiting), h);
            Kernels.get().scale(h.data().length, (float) (2.0 / samples), h.data(), 0);
        }
        return h;
    }
}
