package io.llmc4j.formats.data;

import io.llmc4j.engine.BadInput;
import java.util.ArrayList;
import java.util.List;

/**
 * Token ids, a row a sample.
 *
 * @param rows ids of each sample; of one length where they are windows
 * @param notes what the user should know: fewer samples than asked for, rows that were skipped
 */
public record Windows(List<int[]> rows, List<String> notes) {

    public Windows {
        rows = List.copyOf(rows);
        notes = List.copyOf(notes);
    }

    public static Windows of(List<int[]> rows) {
        return new Windows(rows, List.of());
    }

    /** Non-overlapping windows of {@code seqLen} ids; the rest is dropped. Throws TOO_SHORT when there is not even one. */
    public static Windows cut(int[] ids, int seqLen, String where) {
        if (ids.length < seqLen) {
            throw BadInput.of(DataError.TOO_SHORT, "%s: %d tokens do not fill one window of %d; give more text or a smaller seq_len", where, ids.length, seqLen);
        }
        List<int[]> rows = new ArrayList<>();
        for (int i = 0; i + seqLen <= ids.length; i += seqLen) {
            rows.add(java.util.Arrays.copyOfRange(ids, i, i + seqLen));
        }
        return of(rows);
    }

    public long tokens() {
        return rows.stream().mapToLong(r -> r.length).sum();
    }

    /**
     * The samples in batches: -1 all in one, else consecutive chunks of {@code bs}, the last may be short. Samples of one batch must have one length
     * (UNEQUAL_LENGTHS).
     */
    public List<List<int[]>> batches(int bs) {
        if (bs < 1 && bs != -1) {
            throw BadInput.of(BadInput.Common.CONFIG, "bs is %d; allowed are -1 (all samples in one batch) and numbers from 1", bs);
        }
        int size = bs == -1 ? Math.max(1, rows.size()) : bs;
        List<List<int[]>> batches = new ArrayList<>();
        for (int i = 0; i < rows.size(); i += size) {
            List<int[]> batch = rows.subList(i, Math.min(rows.size(), i + size));
            for (int[] r : batch) {
                if (r.length != batch.getFirst().length) {
                    throw BadInput.of(DataError.UNEQUAL_LENGTHS, "samples of %d and %d tokens cannot share a batch; use bs: 1", batch.getFirst().length, r.length);
                }
            }
            batches.add(batch);
        }
        return batches;
    }
}
