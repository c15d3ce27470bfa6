package io.llmc4j.formats.hf;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.util.List;
import java.util.Optional;

/**
 * DeepSeek's block FP8 (V3, R1): {@code weight} in e4m3 and {@code weight_scale_inv}, one float32 multiplier a block of 128 x 128; blocks at the
 * edges may be ragged.
 */
final class Fp8BlockReader implements WeightReader {

    private final int edge;

    Fp8BlockReader(JsonNode config) {
        JsonNode size = config.path("weight_block_size");
        if (!config.path("fmt").asText("e4m3").equals("e4m3") || size.size() != 2 || size.get(0).asInt() != size.get(1).asInt() || size.get(0).asInt() < 1) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED,
                    "quantization_config: fp8 with fmt %s and weight_block_size %s; read here: fmt e4m3 with square blocks, \"weight_block_size\": [128, 128]",
                    config.path("fmt").asText("absent"), size.isMissingNode() ? "absent" : size.toString());
        }
        this.edge = size.get(0).asInt();
    }

    @Override
    public boolean holds(StoredModule m) {
        return m.store().contains(m.weightName() + "_scale_inv");
    }

    @Override
    public List<String> tensors(StoredModule m) {
        return List.of(m.weightName(), m.weightName() + "_scale_inv");
    }

    @Override
    public Matrix weight(StoredModule m) {
        return codes(m).orElseThrow().dequantize();
    }

    @Override
    public Optional<QuantizedMatrix> codes(StoredModule m) {
        Tensor weight = m.store().get(m.weightName());
        Tensor scale = m.store().get(m.weightName() + "_scale_inv");
        int rows = m.layout().out();
        int cols = m.layout().in();
        long blocksDown = (rows + edge - 1L) / edge;
        long blocksAcross = (cols + edge - 1L) / edge;
        if (weight.dtype() != DType.F8_E4M3 || weight.shape().rank() != 2 || weight.shape().dim(0) != rows || weight.shape().dim(1) != cols
                || scale.shape().rank() != 2 || scale.shape().dim(0) != blocksDown || scale.shape().dim(1) != blocksAcross || !scale.dtype().isFloat()) {
            throw BadInput.of(BadInput.Common.MODEL, "%s is %s%s with scales %s%s; expected F8_E4M3[%d, %d] with F32[%d, %d]", m.name(), weight.dtype(),
                    weight.shape(), scale.dtype(), scale.shape(), rows, cols, blocksDown, blocksAcross);
        }
        return Optional.of(new QuantizedMatrix(QuantScheme.blockFp8(edge), rows, cols, Tensors.toBytes(weight), Tensors.toFloats(scale), new float[0],
                new int[0], 1f));
    }
}
