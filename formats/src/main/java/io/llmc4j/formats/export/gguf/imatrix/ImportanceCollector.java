package io.llmc4j.formats.export.gguf.imatrix;

import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.export.gguf.arch.GgufArch;
import io.llmc4j.formats.export.gguf.arch.LayerTensors;
import java.util.HashMap;
import java.util.Map;

/** Sums the squares of every linear layer's inputs, column by column and token by token, under the names of the tensors that the layers become. */
public final class ImportanceCollector implements ForwardHooks {

    private final GgufArch arch;
    private final Map<String, Sums> byTensor = new HashMap<>();
    private int block;
    private int experts;

    public ImportanceCollector(GgufArch arch) {
        this.arch = arch;
    }

    /** Sums and counts of one tensor; experts one after another. */
    private static final class Sums {
        private final double[] sums;
        private final long[] counts;

        Sums(int experts, int columns) {
            this.sums = new double[experts * columns];
            this.counts = new long[experts];
        }
    }

    /** What follows belongs to this block, whose feed-forward half has so many experts (0: none). */
    void block(int index, int expertCount) {
        block = index;
        experts = expertCount;
    }

    @Override
    public void linearInput(Linear layer, Matrix x, int batch, int tokens) {
        String tensor = LayerTensors.importanceName(arch, layer.role(), block).orElse("");
        if (tensor.isEmpty()) {
            return;
        }
        int expert = Math.max(0, layer.expert());
        Sums s = byTensor.computeIfAbsent(tensor, n -> new Sums(layer.expert() < 0 ? 1 : experts, layer.in()));
        s.counts[expert] += x.rows();
        int at = expert * layer.in();
        Parallel.forRange(layer.in(), 256, (from, to) -> {
            for (int r = 0; r < x.rows(); r++) {
                for (int c = from; c < to; c++) {
                    double v = x.data()[r * x.cols() + c];
                    s.sums[at + c] += v * v;
                }
            }
        });
    }

    /** What was gathered so far. */
    Map<String, ImportanceMatrix.Entry> entries() {
        Map<String, ImportanceMatrix.Entry> out = new HashMap<>();
        byTensor.forEach((name, s) -> {
            float[] sums = new float[s.sums.length];
            for (int i = 0; i < sums.length; i++) {
                sums[i] = (float) s.sums[i];
            }
            float[] counts = new float[s.counts.length];
            for (int i = 0; i < counts.length; i++) {
                counts[i] = s.counts[i];
            }
            out.put(name, new ImportanceMatrix.Entry(sums, counts));
        });
        return out;
    }
}
