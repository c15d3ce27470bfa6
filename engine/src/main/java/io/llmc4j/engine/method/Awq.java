package io.llmc4j.engine.method;

import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Folding;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.tensor.Matrix;
import java.util.ArrayList;
import java.util.List;

/**
 * AWQ (arXiv 2306.00978; spec 3.2): input channels that carry much are scaled up before rounding, by a scale that is searched subset by subset
 * and folded into what comes before; then, if asked for, ranges are clipped.
 */
final class Awq implements Method {

    @Override
    public String name() {
        return "Awq";
    }

    @Override
    public MethodInfo info() {
        return new MethodInfo("searches a scale for each input channel that protects those that carry much, then clips ranges", "arXiv 2306.00978",
                MethodInfo.Data.ALWAYS);
    }

    @Override
    public List<Stage> recipe(MethodOptions options) {
        List<Stage> stages = new ArrayList<>();
        if (options.flag("trans", true)) {
            AwqScale.Version version = options.choice("trans_version", "v2", "v1").equals("v1") ? AwqScale.Version.V1 : AwqScale.Version.V2;
            stages.add(new Scales(version, options.integer("awq_bs", 0), options.flag("do_gqa_trans", false), options.flag("save_scale", false)));
        }
        if (options.flag("weight_clip", false)) {
            stages.add(AutoClip.of(options));
        }
        return stages;
    }

    private record Scales(AwqScale.Version version, int subBatch, boolean throughGroups, boolean save) implements Transform {

        @Override
        public String name() {
            return "AWQ scales";
        }

        @Override
        public Needs needs() {
            return Needs.of(Need.INPUTS);
        }

        @Override
        public void apply(BlockWork work) {
            for (Subset subset : work.block().subsets()) {
                if (!eligible(work, subset)) {
                    continue;
                }
                float[] scale = new AwqSearch(work, subset, version, subBatch).best();
                work.foldScale(subset, scale);
                if (save) {
                    for (String layer : subset.layers()) {
                        work.artifact("scales", work.fullName(work.block().linear(layer)), new Matrix(1, scale.length, scale));
                    }
                }
            }
        }

        private boolean eligible(BlockWork work, Subset subset) {
            Block block = work.block();
            boolean afterLinear = subset.previous().filter(p -> p instanceof Subset.PreviousLinear).isPresent();
            boolean starcoder = work.decoder().spec().family().equals("starcoder") && afterLinear;
            return subset.transform() && !starcoder && Folding.possible(block, subset, throughGroups)
                    && work.scheme(block.linear(subset.layers().getFirst())).weight().isPresent()
                    && work.inputs(subset).chunks() > 0;
        }
    }
}
