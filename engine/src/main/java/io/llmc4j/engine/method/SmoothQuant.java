package io.llmc4j.engine.method;

import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.tensor.Matrix;
import java.util.List;

/**
 * SmoothQuant (arXiv 2211.10438, equation 4): s_j = max|X_j|^alpha / max|W_j|^(1 - alpha), folded into the norm before each subset.
 * Subsets after a linear layer are left alone, as in LLMC (spec 3.6).
 */
final class SmoothQuant implements Method {

    @Override
    public String name() {
        return "SmoothQuant";
    }

    @Override
    public MethodInfo info() {
        return new MethodInfo("moves activation outliers into the weights by a closed-form scale", "arXiv 2211.10438", MethodInfo.Data.ALWAYS);
    }

    @Override
    public List<Stage> recipe(MethodOptions options) {
        return List.of(new Smoothing(options.number("alpha", 0.5)));
    }

    /** @param alpha share of the activations' range that goes into the weights */
    private record Smoothing(double alpha) implements Transform {

        private static final float SMALLEST = 1e-5f;

        @Override
        public String name() {
            return "SmoothQuant scales";
        }

        @Override
        public Needs needs() {
            return Needs.of(Need.CHANNEL_MAXIMA);
        }

        @Override
        public void apply(BlockWork work) {
            for (Subset subset : work.block().subsets()) {
                List<Linear> layers = subset.layers().stream().map(work.block()::linear).toList();
                if (subset.previous().filter(p -> p instanceof Subset.PreviousNorm).isPresent() && work.scheme(layers.getFirst()).weight().isPresent()) {
                    work.foldScale(subset, scale(work.channelMaxima(seesAll(layers)), layers));
                }
            }
        }

        /** Among experts, the router is the one that every token passes. */
        private static Linear seesAll(List<Linear> layers) {
            return layers.stream().filter(l -> l.role().isRouter()).findFirst().orElse(layers.getFirst());
        }

        private float[] scale(float[] xMax, List<Linear> layers) {
            float[] wMax = new float[xMax.length];
            for (Linear l : layers) {
                Matrix w = l.weight();
                for (int r = 0; r < w.rows(); r++) {
                    for (int j = 0; j < wMax.length; j++) {
                        wMax[j] = Math.max(wMax[j], Math.abs(w.data()[r * wMax.length + j]));
                    }
                }
            }
            float[] s = new float[xMax.length];
            for (int j = 0; j < s.length; j++) {
                float x = (float) StrictMath.pow(xMax[j], alpha);
                float w = (float) StrictMath.pow(Math.max(wMax[j], SMALLEST), 1 - alpha);
                s[j] = Math.max(x / w, SMALLEST);
            }
            return s;
        }
    }
}
