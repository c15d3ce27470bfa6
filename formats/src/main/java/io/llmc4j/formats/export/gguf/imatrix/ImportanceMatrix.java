package io.llmc4j.formats.export.gguf.imatrix;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.tensor.Shape;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Sums of squared inputs by tensor name ("blk.0.attn_q.weight").
 *
 * @param entries   in order of names
 * @param datasets  what they were computed on
 * @param chunks    calibration windows
 * @param chunkSize tokens of a window
 */
public record ImportanceMatrix(Map<String, Entry> entries, List<String> datasets, int chunks, int chunkSize) {

    public static final ImportanceMatrix NONE = new ImportanceMatrix(Map.of(), List.of(), 0, 0);

    public ImportanceMatrix {
        entries = java.util.Collections.unmodifiableMap(new TreeMap<>(entries));
        datasets = List.copyOf(datasets);
    }

    /**
     * One tensor.
     *
     * @param sums   [experts * columns] of squared inputs (experts 1 for a plain layer)
     * @param counts tokens that reached each expert, [experts]
     */
    public record Entry(float[] sums, float[] counts) {

        /** Columns of one expert. */
        public int columns() {
            return counts.length == 0 ? 0 : sums.length / counts.length;
        }
    }

    public boolean isEmpty() {
        return entries.isEmpty();
    }

    /**
     * What an encoder of this tensor takes: means, [experts * columns]; an expert that no token reached weighs all columns alike. Empty
     * when there is no entry. Throws BadInput when the entry is for another shape.
     */
    public Optional<float[]> weights(String tensor, Shape shape) {
        Entry e = entries.get(tensor);
        if (e == null) {
            return Optional.empty();
        }
        long columns = shape.dim(-1);
        long experts = shape.rank() > 2 ? shape.dim(0) : 1;
        if (e.sums().length != columns * experts) {
            throw BadInput.of(BadInput.Common.DATA, "the importance matrix has %d values for %s, whose shape %s needs %d", e.sums().length, tensor, shape,
                    columns * experts);
        }
        float[] out = new float[e.sums().length];
        int width = e.columns();
        for (int x = 0; x < e.counts().length; x++) {
            for (int c = 0; c < width; c++) {
                out[x * width + c] = e.counts()[x] > 0 ? e.sums()[x * width + c] / e.counts()[x] : 1f;
            }
        }
        return Optional.of(out);
    }
}
