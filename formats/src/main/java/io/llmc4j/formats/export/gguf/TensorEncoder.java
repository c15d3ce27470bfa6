package io.llmc4j.formats.export.gguf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.formats.export.gguf.block.BlockCodec;
import io.llmc4j.formats.export.gguf.block.GgmlType;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32C;

/** Encodes tensors panel by panel, rows in parallel, and remembers what it wrote: for the check afterwards and for the report. */
public final class TensorEncoder {

    /** Elements that are float32 at once. */
    private static final int PANEL = 1 << 23;

    private final GgufWriter writer;

    public TensorEncoder(GgufWriter writer) {
        this.writer = writer;
    }

    /**
     * What became of a tensor.
     *
     * @param checksum CRC-32C of its bytes
     * @param error    relative: root of the squared differences over root of the squares, 0 for a tensor of zeros
     * @param direct   whether codes went in as they were
     */
    public record Encoded(String name, Shape shape, GgmlType type, long bytes, long checksum, double error, boolean direct) { }

    /** @param importance [parts * cols] (experts have their own), [cols], or length 0 */
    public Encoded write(String name, Shape shape, GgmlType type, List<TensorPart> parts, float[] importance) {
        writer.begin(name, shape, type);
        CRC32C crc = new CRC32C();
        Sums sums = new Sums();
        boolean direct = true;
        for (int p = 0; p < parts.size(); p++) {
            TensorPart part = parts.get(p);
            int cols = part.cols();
            float[] weights = importance.length > cols ? Arrays.copyOfRange(importance, p * cols, (p + 1) * cols) : importance;
            boolean codes = part.codes().isPresent() && DirectBlocks.fits(part.codes().get(), type);
            part = codes || !type.quantized() ? part : part.unrounded();
            direct &= codes;
            int panel = Math.max(1, PANEL / Math.max(1, cols));
            for (int from = 0; from < part.rows(); from += panel) {
                int to = Math.min(part.rows(), from + panel);
                Matrix m = part.read(from, to);
                checkFinite(name, m);
                byte[] bytes = codes ? codes(part, from, to, type) : encode(m, type, weights);
                crc.update(bytes, 0, bytes.length);
                writer.write(bytes, 0, bytes.length);
                sums.add(m, bytes, type);
                sums.requireFinite(name, type);
            }
        }
        GgufTensorInfo info = new GgufTensorInfo(name, shape, type, 0);
        return new Encoded(name, shape, type, info.bytes(), crc.getValue(), sums.relative(), direct);
    }

    private static byte[] encode(Matrix m, GgmlType type, float[] importance) {
        int rowBytes = Math.toIntExact(type.rowBytes(m.cols()));
        byte[] bytes = new byte[Math.multiplyExact(m.rows(), rowBytes)];
        BlockCodec codec = type.codec().orElseThrow();
        Parallel.forRange(m.rows(), grain(m.cols()), (from, to) -> {
            for (int r = from; r < to; r++) {
                codec.encode(m.data(), r * m.cols(), m.cols(), importance, bytes, r * rowBytes);
            }
        });
        return bytes;
    }

    private static byte[] codes(TensorPart part, int first, int last, GgmlType type) {
        int rowBytes = Math.toIntExact(type.rowBytes(part.cols()));
        byte[] bytes = new byte[Math.multiplyExact(last - first, rowBytes)];
        Parallel.forRange(last - first, grain(part.cols()), (from, to) -> {
            for (int r = from; r < to; r++) {
                DirectBlocks.encode(part.codes().orElseThrow(), first + r, type, bytes, r * rowBytes);
            }
        });
        return bytes;
    }

    private static int grain(int cols) {
        return Math.max(1, 65536 / Math.max(1, cols));
    }

    private static void checkFinite(String name, Matrix m) {
        for (int i = 0; i < m.data().length; i++) {
            if (!Float.isFinite(m.data()[i])) {
                throw BadInput.of(BadInput.Common.FORMAT, "%s has %s at row %d, column %d; no NaN or infinity is written", name, m.data()[i], i / m.cols(),
                        i % m.cols());
            }
        }
    }

    /** Error against what the bytes decode to, summed in row order so that threads cannot change it. */
    private static final class Sums {
        private double error;
        private double power;

        void add(Matrix m, byte[] bytes, GgmlType type) {
            int rowBytes = Math.toIntExact(type.rowBytes(m.cols()));
            double[] errors = new double[m.rows()];
            double[] powers = new double[m.rows()];
            Parallel.forRange(m.rows(), grain(m.cols()), (from, to) -> {
                float[] back = new float[m.cols()];
                for (int r = from; r < to; r++) {
                    type.codec().orElseThrow().decode(bytes, r * rowBytes, m.cols(), back, 0);
                    for (int c = 0; c < m.cols(); c++) {
                        double x = m.data()[r * m.cols() + c];
                        double d = back[c] - x;
                        errors[r] += d * d;
                        powers[r] += x * x;
                    }
                }
            });
            for (int r = 0; r < m.rows(); r++) {
                error += errors[r];
                power += powers[r];
            }
        }

        /** What the bytes decode to is finite only if the error is: half precision, of values or of scales, ends at 65504. */
        void requireFinite(String name, GgmlType type) {
            if (!Double.isFinite(error)) {
                throw BadInput.of(BadInput.Common.FORMAT, "%s would hold a NaN or an infinity as %s: its values are too large for that type's half-precision numbers; export it as F32 or BF16, "
                        + "or leave the model as it is", name, type);
            }
        }

        double relative() {
            return power == 0 ? 0 : Math.sqrt(error / power);
        }
    }
}
