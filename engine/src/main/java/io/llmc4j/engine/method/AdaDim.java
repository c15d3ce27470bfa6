package io.llmc4j.engine.method;

import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.WeightRoundings;
import io.llmc4j.engine.tensor.Matrix;
import java.util.List;
import java.util.Optional;

/**
 * AdaDim (arXiv 2309.15531; spec 3.10): each layer is quantized along its output channels or along its input channels, whichever gives the
 * smaller error of the layer's output on calibration data.
 */
public final class AdaDim implements Method {

    @Override
    public String name() {
        return "AdaDim";
    }

    @Override
    public MethodInfo info() {
        return new MethodInfo("each layer along output or input channels, whichever errs less on calibration data", "arXiv 2309.15531", MethodInfo.Data.ALWAYS);
    }

    @Override
    public String whyNoCodes(MethodOptions options) {
        return "AdaDim may give a layer ranges along its input channels, across the rows";
    }

    @Override
    public List<Stage> recipe(MethodOptions options) {
        return List.of(new Dimension());
    }

    /**
     * The squared error of the output summed over tokens, trace(D XᵀX Dᵀ) for a weight error D [out, in]: it needs the Gram matrix only,
     * not the inputs.
     */
    public static double outputError(Matrix weight, Matrix quantized, Matrix hessian) {
        Matrix d = new Matrix(weight.rows(), weight.cols());
        for (int i = 0; i < d.data().length; i++) {
            d.data()[i] = weight.data()[i] - quantized.data()[i];
        }
        Matrix dh = Products.linear(d, hessian);
        double sum = 0;
        for (int i = 0; i < d.data().length; i++) {
            sum += (double) dh.data()[i] * d.data()[i];
        }
        return sum;
    }

    private record Dimension() implements Round {

        @Override
        public String name() {
            return "AdaDim dimension";
        }

        @Override
        public Needs needs() {
            return Needs.of(Need.HESSIANS);
        }

        @Override
        public void prepare(ModelWork model) {
            Misfits.refuse(model, (layer, scheme) -> {
                Granularity g = scheme.weight().orElseThrow().granularity();
                boolean divides = g.kind() != Granularity.Kind.PER_GROUP || layer.out() < g.size() || layer.out() % g.size() == 0;
                return divides ? Optional.empty() : Optional.of("out_features " + layer.out() + " with group_size " + g.size());
            }, "AdaDim also tries groups along out_features, which group_size has to divide", "use another group_size or per_channel, or list them under ignored_layers");
        }

        @Override
        public void apply(BlockWork work) {
            for (Subset subset : work.block().subsets()) {
                Linear seen = work.block().linear(subset.input());
                Matrix hessian = work.hessian(seen);
                for (String name : subset.layers()) {
                    Linear layer = work.block().linear(name);
                    work.weightQuantizer(layer).ifPresent(q -> choose(work, layer, q, hessian));
                }
            }
        }

        private static void choose(BlockWork work, Linear layer, Quantizer q, Matrix hessian) {
            Matrix w = layer.weight();
            double byOutput = outputError(w, q.fakeQuantize(w), hessian);
            double byInput = outputError(w, q.fakeQuantize(w.transpose()).transpose(), hessian);
            if (byInput < byOutput) {
                work.install(layer, WeightRoundings.perInputChannel(q));
                work.note(layer, "ranges of input channels");
            } else {
                work.install(layer, WeightRoundings.dynamic(q));
            }
        }
    }
}
