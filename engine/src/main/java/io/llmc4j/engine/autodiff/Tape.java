package io.llmc4j.engine.autodiff;

import io.llmc4j.engine.tensor.Matrix;
import it.unimi.dsi.fastutil.ints.Int2ObjectOpenHashMap;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/**
 * Records operations of one forward pass and plays their gradients backwards. Buffers come from a pool that {@link #reset()} refills, so
 * that a second step of the same shape allocates nothing. Gradients are added in the reverse order of the operations: the same bits on every run.
 * Not for several threads; the operations themselves use the kernels' threads.
 */
public final class Tape {

    private final Int2ObjectOpenHashMap<ArrayDeque<float[]>> pool = new Int2ObjectOpenHashMap<>();
    private final List<float[]> borrowed = new ArrayList<>();
    private final List<Step> steps = new ArrayList<>();

    private long allocated;

    private record Step(Var result, Consumer<Matrix> backward) { }

    /** A zeroed matrix that is valid until {@link #reset()}. */
    Matrix buffer(int rows, int cols) {
        float[] data = floats(Math.multiplyExact(rows, cols));
        return new Matrix(rows, cols, data);
    }

    float[] floats(int n) {
        ArrayDeque<float[]> free = pool.get(n);
        float[] data;
        if (free == null || free.isEmpty()) {
            data = new float[n];
            allocated += n;
        } else {
            data = free.pop();
            Arrays.fill(data, 0f);
        }
        borrowed.add(data);
        return data;
    }

    /** Registers the result of an operation; {@code backward} is given the result's complete gradient and adds to its operands'. */
    Var record(Matrix value, boolean needsGradient, Consumer<Matrix> backward) {
        Var v = new Var(this, value, needsGradient, null);
        if (needsGradient) {
            steps.add(new Step(v, backward));
        }
        return v;
    }

    Var view(Var of, int rows, int cols) {
        return new Var(this, new Matrix(rows, cols, of.value().data()), of.needsGradient(), of);
    }

    /** Fills the gradients of every parameter that {@code loss} (a 1 x 1 value) depends on, added to what they hold. */
    public void backward(Var loss) {
        if (loss.value().data().length != 1) {
            throw new IllegalArgumentException("a loss is 1 x 1, not " + loss.value());
        }
        Matrix one = new Matrix(1, 1);
        one.data()[0] = 1f;
        backward(loss, one);
    }

    /** As {@link #backward(Var)} for a result whose gradient is known from elsewhere (the next block's pass). */
    public void backward(Var result, Matrix gradient) {
        System.arraycopy(gradient.data(), 0, result.gradient().data(), 0, gradient.data().length);
        for (int i = steps.size() - 1; i >= 0; i--) {
            Step s = steps.get(i);
            if (s.result.reached()) {
                s.backward.accept(s.result.gradient());
            }
        }
    }

    /** Floats of all buffers that this tape ever made; a further step of the same shape must not add to it. */
    public long allocatedFloats() {
        return allocated;
    }

    /** Forgets the pass; every value and gradient that it made is invalid afterwards. */
    public void reset() {
        steps.clear();
        for (float[] b : borrowed) {
            pool.computeIfAbsent(b.length, n -> new ArrayDeque<>()).push(b);
        }
        borrowed.clear();
    }
}
