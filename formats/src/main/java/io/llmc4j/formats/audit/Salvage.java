package io.llmc4j.formats.audit;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.Checkpoint;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.EndsLayout;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.ModelShape;
import io.llmc4j.formats.hf.ModuleLayout;
import io.llmc4j.formats.hf.NormLayout;
import io.llmc4j.formats.hf.StoredModule;
import io.llmc4j.formats.hf.TensorStore;
import io.llmc4j.formats.hf.WeightFormats;
import io.llmc4j.formats.hf.WeightReader;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What is left of a directory that does not open. Modules that decode are taken as they are; in the place of every other one stands the original's, so that
 * the model is complete, and it is listed as lost: nothing that is lost is compared.
 */
final class Salvage {

    /**
     * @param lost modules of the model by full name, with the reason
     * @param rest other tensors (norms, embedding, head, biases) that had to be taken from the original, with the reason
     */
    record Salvaged(HfModel model, Map<String, String> lost, Map<String, String> rest) { }

    private final HfModel original;
    private final ModelShape shape;
    private final Optional<WeightReader> reader;
    private final TensorStore there;
    private final String root;
    private final Arena arena;
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private final Map<String, String> lost = new LinkedHashMap<>();
    private final Map<String, String> rest = new LinkedHashMap<>();

    private Salvage(HfModel original, ModelShape shape, Optional<WeightReader> reader, TensorStore there, String root, Arena arena) {
        this.original = original;
        this.shape = shape;
        this.reader = reader;
        this.there = there;
        this.root = root;
        this.arena = arena;
    }

    /** Empty when nothing can be read, or when the architectures differ, so that nothing of the original could stand in. */
    static Optional<Salvaged> of(Path directory, HfModel original) {
        HfConfig config = HfConfig.read(directory.resolve("config.json"));
        ModelShape shape = ModelShape.of(HfConfig.read(directory.resolve("config.json")));
        if (!shape.spec().equals(original.spec()) || !shape.blocks().equals(original.shape().blocks())) {
            return Optional.empty();
        }
        Checkpoint checkpoint;
        try {
            checkpoint = Checkpoint.salvage(directory);
        } catch (BadInput e) {
            return Optional.empty();
        }
        Arena arena = Arena.ofShared();
        TensorStore there = TensorStore.of(checkpoint);
        try {
            Salvage s = new Salvage(original, shape, WeightFormats.of(config), there, root(shape, checkpoint.names()), arena);
            shape.blocks().forEach(s::block);
            s.ends();
            return Optional.of(new Salvaged(HfModel.of(config, s.store()), s.lost, s.rest));
        } catch (BadInput e) {
            there.close();
            arena.close();
            return Optional.empty();
        } catch (RuntimeException | Error e) {
            there.close();
            arena.close();
            throw e;
        }
    }

    /** The root under which most of what is left lies. */
    private static String root(ModelShape shape, List<String> names) {
        String own = shape.roots().getFirst();
        String block = shape.blocks().getFirst().prefix().substring(own.length()).replaceAll("\\d+$", "");
        String best = own;
        long most = -1;
        for (String r : shape.roots()) {
            long n = names.stream().filter(t -> t.startsWith(r + block)).count();
            if (n > most) {
                best = r;
                most = n;
            }
        }
        return best;
    }

    private String name(String canonical) {
        String own = shape.roots().getFirst();
        return canonical.startsWith(own) ? root + canonical.substring(own.length()) : canonical;
    }

    private void block(BlockLayout b) {
        String prefix = name(b.prefix());
        String its = original.blockPrefix(b.index());
        for (ModuleLayout m : b.modules()) {
            StoredModule stored = new StoredModule(there, prefix, m);
            StoredModule first = new StoredModule(original.store(), its, m);
            Optional<String> fault = take(stored);
            if (fault.isPresent()) {
                lost.put(stored.name(), fault.get());
                standIn(stored.weightName(), first);
            }
            there.find(stored.biasName()).ifPresent(t -> {
                Optional<Tensor> known = original.store().find(first.biasName());
                if (m.stacked() || t.shape().equals(new Shape(m.out()))) {
                    tensors.put(stored.biasName(), t);
                } else {
                    rest.put(stored.biasName(), "it is " + t.shape());
                    known.ifPresent(k -> tensors.put(stored.biasName(), k));
                }
            });
        }
        b.norms().values().forEach(n -> norm(n, prefix + ".", its + "."));
        b.vectors().values().forEach(v -> table(prefix + "." + v.tensor(), its + "." + v.tensor()));
    }

    /** Puts a module's tensors in; or the reason why it cannot be read. */
    private Optional<String> take(StoredModule m) {
        if (reader.isPresent() && reader.get().holds(m)) {
            try {
                List<String> names = reader.get().tensors(m);
                List<String> missing = names.stream().filter(n -> !there.contains(n)).toList();
                if (!missing.isEmpty()) {
                    return Optional.of("missing: " + String.join(", ", missing));
                }
                if (reader.get().codes(m).isEmpty()) {
                    reader.get().weight(m);
                }
                names.forEach(n -> tensors.put(n, there.get(n)));
                return Optional.empty();
            } catch (BadInput e) {
                return Optional.of(e.getMessage());
            }
        }
        Optional<Tensor> weight = there.find(m.weightName());
        if (weight.isEmpty()) {
            boolean some = there.names().stream().anyMatch(n -> n.startsWith(m.name() + "."));
            return Optional.of(some ? "some of its tensors are missing" : "no tensor of it can be read");
        }
        ModuleLayout l = m.layout();
        Shape want = l.inputMajor() ? new Shape(l.in(), l.out()) : new Shape(l.out(), l.in());
        if (!l.stacked() && !weight.get().shape().equals(want)) {
            return Optional.of(m.weightName() + " is " + weight.get().shape() + ", expected " + want);
        }
        if (!weight.get().dtype().isFloat() || weight.get().dtype().bits() < 16) {
            return Optional.of(m.weightName() + " is " + weight.get().dtype() + " without what tells how to read it");
        }
        tensors.put(m.weightName(), weight.get());
        return Optional.empty();
    }

    private void standIn(String name, StoredModule first) {
        if (!original.isQuantized(first)) {
            tensors.put(name, original.store().get(first.weightName()));
            return;
        }
        Matrix w = original.weight(first);
        Matrix stored = first.layout().inputMajor() ? w.transpose() : w;
        tensors.put(name, Tensors.fromFloats(DType.F32, new Shape(stored.rows(), stored.cols()), Arrays.copyOf(stored.data(), stored.rows() * stored.cols()), arena));
    }

    private void norm(NormLayout n, String prefix, String its) {
        List<String> all = new ArrayList<>(n.weights());
        if (!n.bias().isEmpty() && original.store().contains(its + n.bias())) {
            all.add(n.bias());
        }
        all.forEach(t -> table(prefix + t, its + t));
    }

    /** A float tensor with the original's extents, or the original's. */
    private void table(String name, String originals) {
        Tensor known = original.store().get(originals);
        Optional<Tensor> t = there.find(name);
        if (t.isPresent() && t.get().elements() == known.elements() && t.get().dtype().isFloat() && t.get().dtype().bits() >= 16) {
            tensors.put(name, t.get());
            return;
        }
        rest.put(name, t.isEmpty() ? "it cannot be read" : "it is " + t.get().dtype() + " " + t.get().shape());
        tensors.put(name, known);
    }

    private void ends() {
        EndsLayout e = shape.ends();
        List<String> all = new ArrayList<>(List.of(e.embedding(), e.positions(), e.projectIn(), e.projectOut(), e.headBias()));
        if (!e.tied()) {
            // The original may be tied where this model has a head of its own.
            if (original.ends().tied()) {
                there.find(name(e.head())).ifPresentOrElse(t -> tensors.put(name(e.head()), t), () -> {
                    rest.put(name(e.head()), "it cannot be read");
                    tensors.put(name(e.head()), original.store().get(original.tensorName(e.embedding())));
                });
            } else {
                all.add(e.head());
            }
        }
        all.stream().filter(n -> !n.isEmpty()).forEach(n -> table(name(n), original.tensorName(n)));
        for (Optional<NormLayout> n : List.of(e.embeddingNorm(), e.finalNorm())) {
            n.ifPresent(l -> {
                l.weights().forEach(t -> table(name(t), original.tensorName(t)));
                if (!l.bias().isEmpty() && original.store().contains(original.tensorName(l.bias()))) {
                    table(name(l.bias()), original.tensorName(l.bias()));
                }
            });
        }
    }

    private TensorStore store() {
        Map<String, Tensor> all = tensors;
        return new TensorStore() {
            @Override
            public List<String> names() {
                return List.copyOf(all.keySet());
            }

            @Override
            public Optional<Tensor> find(String name) {
                return Optional.ofNullable(all.get(name));
            }

            @Override
            public void close() {
                there.close();
                arena.close();
            }
        };
    }
}
