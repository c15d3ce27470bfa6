package io.llmc4j.engine.calibrate;

import io.llmc4j.engine.BadInput;
import java.util.ArrayList;
import java.util.List;

/**
 * The calibration samples as token ids and how they are batched.
 *
 * @param name      of the data, for the report
 * @param samples   [samples][tokens]
 * @param batchSize logical batch, {@code calib.bs}: -1 all samples in one, k consecutive ones. A few methods look at the first batch only, or
 *                  weigh batches; memory does not depend on it
 * @param seqLen    {@code calib.seq_len}; samples may be shorter
 */
public record CalibrationSet(String name, int[][] samples, int batchSize, int seqLen) {

    /** Samples that flow through the model together. */
    public record Chunk(int batch, int from, int to) { }

    public CalibrationSet {
        if (samples.length == 0) {
            throw BadInput.of(BadInput.Common.DATA, "calibration data '%s' gave no sample; give more text, or ask for a smaller seq_len", name);
        }
        if (batchSize < 1 && batchSize != -1) {
            throw BadInput.of(BadInput.Common.CONFIG, "calib.bs is %d; -1 (all samples at once) or a positive number is expected", batchSize);
        }
        for (int i = 0; i < samples.length; i++) {
            if (samples[i].length == 0) {
                throw BadInput.of(BadInput.Common.DATA, "calibration sample %d of '%s' has no token", i, name);
            }
        }
    }

    /** Logical batches. */
    public int batches() {
        return batchSize == -1 ? 1 : (samples.length + batchSize - 1) / batchSize;
    }

    /**
     * Consecutive samples of one length and one logical batch, at most {@code maxTokens} tokens a chunk (one sample at least). The samples of a
     * batch must be equally long: BadInput (DATA) names the first that is not.
     */
    public List<Chunk> chunks(int maxTokens) {
        int size = batchSize == -1 ? samples.length : batchSize;
        List<Chunk> chunks = new ArrayList<>();
        for (int from = 0; from < samples.length; from += size) {
            int end = Math.min(samples.length, from + size);
            int tokens = samples[from].length;
            for (int i = from; i < end; i++) {
                if (samples[i].length != tokens) {
                    throw BadInput.of(BadInput.Common.DATA, "calibration samples %d and %d of '%s' have %d and %d tokens and cannot share a batch; use calib.bs 1",
                            from, i, name, tokens, samples[i].length);
                }
            }
            int together = Math.max(1, maxTokens / tokens);
            for (int at = from; at < end; at += together) {
                chunks.add(new Chunk(from / size, at, Math.min(end, at + together)));
            }
        }
        return chunks;
    }

    /** Token ids of a chunk, [samples][tokens]. */
    public int[][] ids(Chunk chunk) {
        return java.util.Arrays.copyOfRange(samples, chunk.from(), chunk.to());
    }

    public long tokens() {
        long n = 0;
        for (int[] s : samples) {
            n += s.length;
        }
        return n;
    }
}
