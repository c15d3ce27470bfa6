package io.llmc4j.formats.convert;

import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.ModuleCodec;
import io.llmc4j.formats.hf.ModuleLayout;
import io.llmc4j.formats.hf.StoredModule;
import io.llmc4j.formats.hf.WeightReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The linear layers of a stored model as a run would hand them to a sink. */
final class StoredLayers {

    private final HfModel model;
    private final Optional<QuantScheme> again;

    /** @param again the scheme to round with once more; empty: the codes as they are stored */
    StoredLayers(HfModel model, Optional<QuantScheme> again) {
        this.model = model;
        this.again = again;
    }

    List<LayerResult> of(Block block) {
        List<LayerResult> out = new ArrayList<>();
        for (ModuleLayout m : model.layout(block.index()).modules()) {
            StoredModule stored = model.module(block.index(), m);
            boolean quantized = model.isQuantized(stored);
            Optional<QuantizedMatrix> codes = quantized && again.isEmpty() ? model.codes(stored) : Optional.empty();
            WeightReader reader = model.weightReader().orElse(null);
            Optional<QuantScheme> inputs = quantized ? reader.activation(stored) : Optional.empty();
            Optional<Float> scale = quantized ? reader.inputScale(stored) : Optional.empty();
            for (ModuleLayout.Part p : m.parts()) {
                Linear l = block.linear(p.linear());
                Optional<QuantizedMatrix> q = codes.map(c -> ModuleCodec.split(m, p, c));
                Matrix fake = l.weight();
                Optional<QuantScheme> scheme = q.map(QuantizedMatrix::scheme);
                if (quantized && again.isPresent()) {
                    scheme = again;
                    q = Optional.of(Quantizer.of(again.get()).quantize(l.weight()));
                    fake = q.get().dequantize();
                }
                out.add(new LayerResult(model.blockPrefix(block.index()) + "." + l.name(), l, q, fake, scheme, inputs.filter(a -> quantized), scale, 0, 0,
                        scheme.map(QuantScheme::bits).orElse(16), 0, List.of()));
            }
        }
        return out;
    }
}
