package io.llmc4j.cli.run;

import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.pipeline.ExpertRules;
import io.llmc4j.engine.pipeline.LayerScheme;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.ScaleFormat;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.ModelShape;
import io.llmc4j.formats.hf.ModuleLayout;
import java.util.ArrayList;
import java.util.List;

/** One linear layer before a run: where it is, how large, how it will be quantized, whether its tensor is that of all experts. */
public record PlannedRunLayer(int block, String name, String fullName, Role role, int out, int in, LayerScheme scheme, boolean stacked) {

    /** All of a model, in module order. Routers stay float unless the rules quantize them. */
    static List<PlannedRunLayer> of(ModelShape shape, SchemePlan schemes, ExpertRules rules, boolean compat,
            java.util.function.IntFunction<String> prefix) {
        List<PlannedRunLayer> out = new ArrayList<>();
        for (BlockLayout block : shape.blocks()) {
            for (ModuleLayout module : block.modules()) {
                for (ModuleLayout.Part part : module.parts()) {
                    String full = prefix.apply(block.index()) + "." + part.linear();
                    LayerScheme scheme = rules.leaves(part.role(), shape.spec().family(), compat) ? LayerScheme.FLOAT
                            : schemes.layer(block.index(), part.linear(), full, false);
                    out.add(new PlannedRunLayer(block.index(), part.linear(), full, part.role(), part.rows().rows(), module.in(), scheme, module.stacked()));
                }
            }
        }
        return out;
    }

    PlannedRunLayer with(LayerScheme s) {
        return new PlannedRunLayer(block, name, fullName, role, out, in, s, stacked);
    }

    long weights() {
        return (long) out * in;
    }

    /** Bits of a weight with its share of scales (16 bits, 8 in NVFP4 and microscaling) and zero points; 16 when it stays float. */
    double bits() {
        if (!scheme.quantized()) {
            return 16;
        }
        QuantScheme s = scheme.weight().orElseThrow();
        Granularity g = s.granularity();
        double perScale = switch (g.kind()) {
            case PER_TENSOR -> weights();
            case PER_CHANNEL, PER_TOKEN -> in;
            case PER_GROUP -> Math.min(g.size(), in);
            case PER_HEAD -> (double) weights() / g.size();
            case PER_BLOCK -> (double) g.size() * g.size();
        };
        int scaleBits = s.scaleFormat() == ScaleFormat.FLOAT ? 16 : 8;
        return s.bits() + (scaleBits + (s.symmetric() ? 0 : s.bits())) / perScale;
    }
}
