package io.llmc4j.formats.export.mxfp4;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.hf.StoredModule;
import io.llmc4j.formats.hf.WeightReader;
import java.util.List;
import java.util.Optional;

/**
 * GPT-OSS's stacked experts in MXFP4: {@code _blocks} U8 [experts, out, in / 32, 16], the low nibble first, and {@code _scales} U8
 * [experts, out, in / 32], powers of two with bias 127. Rows are output features, unlike the float tensors of the same name.
 */
public final class Mxfp4Reader implements WeightReader {

    public Mxfp4Reader(JsonNode config) {
        // Nothing in it changes the decoding: modules_to_not_convert are those without _blocks.
    }

    @Override
    public boolean holds(StoredModule m) {
        return m.layout().stacked() && m.store().contains(m.weightName() + "_blocks");
    }

    @Override
    public List<String> tensors(StoredModule m) {
        return List.of(m.weightName() + "_blocks", m.weightName() + "_scales");
    }

    @Override
    public Matrix weight(StoredModule m) {
        return codes(m).orElseThrow().dequantize();
    }

    @Override
    public Optional<QuantizedMatrix> codes(StoredModule m) {
        Tensor blocks = m.store().get(m.weightName() + "_blocks");
        Tensor scales = m.store().get(m.weightName() + "_scales");
        int rows = m.layout().out();
        int cols = m.layout().in();
        int groups = cols / StackedMxfp4.GROUP;
        if (cols % StackedMxfp4.GROUP != 0 || blocks.dtype() != DType.U8 || scales.dtype() != DType.U8 && scales.dtype() != DType.F8_E8M0
                || blocks.shape().rank() != 4 || blocks.shape().dim(1) != rows || blocks.shape().dim(2) != groups || blocks.shape().dim(3) != StackedMxfp4.GROUP / 2
                || scales.shape().rank() != 3 || scales.shape().dim(1) != rows || scales.shape().dim(2) != groups
                || m.layout().slice() >= blocks.shape().dim(0) || scales.shape().dim(0) != blocks.shape().dim(0)) {
            throw BadInput.of(BadInput.Common.MODEL, "%s: blocks %s%s and scales %s%s; expected U8[experts, %d, %d, %d] and U8[experts, %d, %d]", m.name(),
                    blocks.dtype(), blocks.shape(), scales.dtype(), scales.shape(), rows, groups, StackedMxfp4.GROUP / 2, rows, groups);
        }
        int e = m.layout().slice();
        return Optional.of(StackedMxfp4.decode(rows, cols, Tensors.toBytes(Tensors.rows(blocks, e, e + 1)), Tensors.toBytes(Tensors.rows(scales, e, e + 1))));
    }
}
