package io.llmc4j.formats.audit;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.formats.hf.HfModel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Two quantized directories against each other: same scheme, same codes? The formats may differ; what they hold is compared. */
public final class Diff {

    private Diff() {
    }

    /**
     * Throws BadInput (MODEL) when the architectures differ or a directory cannot be read.
     *
     * @return every layer that has codes in at least one of the two
     */
    public static CodeDifference of(Path left, Path right, Audit.Listener listener) {
        try (QuantizedModel a = QuantizedModel.open(left); QuantizedModel b = QuantizedModel.open(right)) {
            if (a.directory().isEmpty() || b.directory().isEmpty()) {
                throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "diff compares directories of safetensors; GGUF blocks have no codes that could be told apart: audit each against "
                        + "its original instead");
            }
            if (!a.source().spec().equals(b.source().spec())) {
                throw BadInput.of(BadInput.Common.MODEL, "%s and %s are not of one architecture", left, right);
            }
            List<CodeDifference.Layer> layers = new ArrayList<>();
            int blocks = a.source().spec().blocks();
            for (int i = 0; i < blocks; i++) {
                listener.at("comparing block " + (i + 1) + " of " + blocks, i, blocks);
                block(i, a, b, layers);
                a.source().release();
                b.source().release();
            }
            return new CodeDifference(left.toString(), right.toString(), layers);
        }
    }

    private static void block(int index, QuantizedModel a, QuantizedModel b, List<CodeDifference.Layer> layers) {
        Map<String, QuantizedMatrix> left = codes(a, index);
        Map<String, QuantizedMatrix> right = codes(b, index);
        HfModel m = a.directory().orElseThrow();
        Block mine = m.block(index);
        Block its = b.source().block(index);
        for (Linear l : mine.linears()) {
            String name = m.blockPrefix(index) + "." + l.name();
            QuantizedMatrix x = left.get(l.name());
            QuantizedMatrix y = right.get(l.name());
            if (x != null && y != null) {
                layers.add(CodeComparison.of(index, name, x, y));
            } else if (x != null) {
                layers.add(CodeComparison.oneSided(index, name, x.scheme(), x.codes().length, true, "float"));
            } else if (y != null) {
                layers.add(CodeComparison.oneSided(index, name, y.scheme(), y.codes().length, false, "float"));
            } else {
                decoded(index, name, l, QuantizedModel.counterpart(its, l).orElseThrow(), layers);
            }
            l.release();
        }
    }

    /** Layers without codes of ours: their decoded values. */
    private static void decoded(int block, String name, Linear a, Linear b, List<CodeDifference.Layer> layers) {
        float[] x = a.weight().data();
        float[] y = b.weight().data();
        long different = 0;
        for (int i = 0; i < x.length; i++) {
            different += x[i] == y[i] ? 0 : 1;
        }
        if (different > 0) {
            layers.add(new CodeDifference.Layer(block, name, "float", "float", x.length, different, 0, 0, 0, "float values differ"));
        }
        b.release();
    }

    private static Map<String, QuantizedMatrix> codes(QuantizedModel m, int block) {
        return m.codes(block, e -> {
            throw e;
        });
    }
}
