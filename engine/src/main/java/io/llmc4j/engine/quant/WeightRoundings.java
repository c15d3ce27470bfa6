package io.llmc4j.engine.quant;

import io.llmc4j.engine.tensor.Matrix;
import java.util.Optional;

/** The ways a weight becomes codes, beyond those that a method brings itself. */
public final class WeightRoundings {

    private WeightRoundings() {
    }

    /** Ranges from the weight at hand. */
    public static WeightRounding dynamic(Quantizer quantizer) {
        return new Plain(quantizer, Optional.empty());
    }

    /** Stored ranges (GPTQ, learned clips, mse found once, …), in the order of {@link RangeLayout}. */
    public static WeightRounding stored(Quantizer quantizer, QuantParams params) {
        return new Plain(quantizer, Optional.of(params));
    }

    private record Plain(Quantizer quantizer, Optional<QuantParams> stored) implements WeightRounding {

        @Override
        public Matrix fakeQuantize(Matrix weight) {
            return stored.isPresent() ? quantizer.fakeQuantize(weight, stored.get()) : quantizer.fakeQuantize(weight);
        }

        @Override
        public Optional<QuantizedMatrix> codes(Matrix weight) {
            return whyNoCodes().isEmpty() ? Optional.of(quantizer.quantize(weight, stored.orElseGet(() -> quantizer.params(weight)))) : Optional.empty();
        }

        @Override
        public String whyNoCodes() {
            return quantizer.whyNoCodes();
        }
    }
}
