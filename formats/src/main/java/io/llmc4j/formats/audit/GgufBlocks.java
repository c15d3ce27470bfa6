package io.llmc4j.formats.audit;

import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.export.gguf.GgufModel;
import io.llmc4j.formats.export.gguf.arch.TensorNames;
import io.llmc4j.formats.export.gguf.block.BlockCodec;
import io.llmc4j.formats.export.gguf.block.GgmlType;
import java.util.Optional;

/** The blocks that a layer of a GGUF file is stored in. */
record GgufBlocks(GgmlType type) {

    /** @param layer the layer's name in its block, with the part of a fused tensor or the expert behind it ("attn_qkv[q]", "ffn_up_exps.3") */
    static GgufBlocks of(GgufModel model, int block, String layer) {
        String tensor = layer.replaceAll("\\[.*$", "").replaceAll("\\.\\d+$", "");
        return new GgufBlocks(model.type(TensorNames.inBlock(block, tensor) + ".weight"));
    }

    /** "Q4_K" */
    String label() {
        return type.name();
    }

    double bits() {
        return type.bits();
    }

    boolean quantized() {
        return type.quantized();
    }

    /** Relative error of a weight rounded to these blocks without an importance matrix; empty for floats and types that are not made without one. */
    Optional<Double> plain(Matrix weight) {
        if (!type.quantized() || type.needsImportance() || type.codec().isEmpty() || !type.fits(weight.cols())) {
            return Optional.empty();
        }
        BlockCodec codec = type.codec().get();
        int rowBytes = Math.toIntExact(type.rowBytes(weight.cols()));
        Matrix back = new Matrix(weight.rows(), weight.cols());
        Parallel.forRange(weight.rows(), (from, to) -> {
            byte[] row = new byte[rowBytes];
            for (int r = from; r < to; r++) {
                codec.encode(weight.data(), r * weight.cols(), weight.cols(), BlockCodec.NO_IMPORTANCE, row, 0);
                codec.decode(row, 0, weight.cols(), back.data(), r * weight.cols());
            }
        });
        return Optional.of(MatrixError.relative(weight, back));
    }
}
