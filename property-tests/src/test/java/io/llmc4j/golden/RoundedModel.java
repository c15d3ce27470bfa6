package io.llmc4j.golden;

import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.hf.HfModel;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** Plain rounding of every linear layer of a model into a sink: the shortest run there is. */
public final class RoundedModel {

    private RoundedModel() {
    }

    /** @param scheme of a layer's weight; empty: it stays float */
    public static ModelSink.Written write(HfModel model, ModelSink sink, Function<Linear, Optional<QuantScheme>> scheme, Optional<QuantScheme> activation,
                                          Optional<Float> inputScale) {
        sink.ends(model.ends());
        for (int i = 0; i < model.spec().blocks(); i++) {
            sink.block(model.block(i), results(model, model.block(i), scheme, activation, inputScale));
        }
        return sink.finish();
    }

    public static List<LayerResult> results(HfModel model, Block block, Function<Linear, Optional<QuantScheme>> scheme, Optional<QuantScheme> activation,
                                            Optional<Float> inputScale) {
        List<LayerResult> out = new ArrayList<>();
        for (Linear l : block.linears()) {
            Optional<QuantScheme> s = scheme.apply(l);
            Optional<QuantizedMatrix> q = s.map(x -> Quantizer.of(x).quantize(l.weight()));
            Matrix fake = s.map(x -> Quantizer.of(x).fakeQuantize(l.weight())).orElse(l.weight());
            out.add(new LayerResult(model.blockPrefix(block.index()) + "." + l.name(), l, q, fake, s, s.isPresent() ? activation : Optional.empty(),
                    s.isPresent() ? inputScale : Optional.empty(), 0, 0, s.map(QuantScheme::bits).orElse(32), 0, List.of()));
        }
        return out;
    }
}
