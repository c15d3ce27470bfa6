package io.llmc4j.formats.convert;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.export.gguf.GgufModel;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.ModuleLayout;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** What a GGUF file that was written holds differently from the model that it was made from: layers, embedding and head, value by value. */
final class GgufLosses {

    private static final int PANEL = 2048;

    private final HfModel input;
    private final String format;
    private final List<Conversion.Change> changes = new ArrayList<>();

    private GgufLosses(HfModel input, String format) {
        this.input = input;
        this.format = format;
    }

    /** @param directory holds the file, or the parts of a split one */
    static List<Conversion.Change> of(HfModel input, Path directory, String format) {
        Path file;
        try (Stream<Path> files = Files.list(directory)) {
            file = files.filter(f -> f.toString().endsWith(".gguf")).sorted().findFirst().orElseThrow();
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.OUTPUT, directory + ": what was written cannot be listed: " + e.getMessage(), e);
        }
        GgufLosses l = new GgufLosses(input, format);
        try (GgufModel written = GgufModel.open(file)) {
            for (int i = 0; i < input.spec().blocks(); i++) {
                l.block(i, written);
            }
            l.table(input.shape().ends().embedding(), input.ends().embedding(), written.ends().embedding());
            input.ends().head().ifPresent(h -> l.table(input.shape().ends().head(), h, written.ends().head().orElse(written.ends().embedding())));
        }
        return l.changes;
    }

    private void block(int index, GgufModel written) {
        Block before = input.block(index);
        Block after = written.block(index);
        for (ModuleLayout m : input.layout(index).modules()) {
            String name = input.module(index, m).name();
            if (input.isQuantized(input.module(index, m)) && input.weightReader().orElseThrow().activation(input.module(index, m)).isPresent()) {
                changes.add(new Conversion.Change(name, "the rounding of its inputs is not carried", 0, 0));
            }
            Differences d = new Differences();
            for (ModuleLayout.Part p : m.parts()) {
                Linear l = before.linear(p.linear());
                Optional<Linear> other = after.linears().stream().filter(x -> x.role() == l.role() && x.expert() == l.expert()).findFirst();
                d.add(l.weight(), other.orElseThrow(() -> new IllegalStateException("no " + l.name() + " in the file")).weight());
                l.release();
            }
            d.change(name).ifPresent(changes::add);
        }
    }

    private void table(String name, Tensor before, Tensor after) {
        Differences d = new Differences();
        long rows = before.shape().dim(0);
        for (long from = 0; from < rows; from += PANEL) {
            int n = (int) Math.min(PANEL, rows - from);
            d.add(Tensors.toMatrix(before, from, n), Tensors.toMatrix(after, from, n));
        }
        d.change(name).ifPresent(changes::add);
    }

    private final class Differences {
        private double largest;
        private double error;
        private double power;

        void add(Matrix a, Matrix b) {
            for (int i = 0; i < a.data().length; i++) {
                double d = (double) b.data()[i] - a.data()[i];
                largest = Math.max(largest, Math.abs(d));
                error += d * d;
                power += (double) a.data()[i] * a.data()[i];
            }
        }

        Optional<Conversion.Change> change(String module) {
            return largest == 0 ? Optional.empty()
                    : Optional.of(new Conversion.Change(module, format + " rounds its weights", largest, power == 0 ? 0 : Math.sqrt(error / power)));
        }
    }
}
