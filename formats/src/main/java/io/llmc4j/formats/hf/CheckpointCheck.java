package io.llmc4j.formats.hf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Holds a checkpoint to its config: every tensor that the architecture needs is there with its shape, and every other one is accounted for. */
final class CheckpointCheck {

    private final HfModel model;
    private final TensorAccount account = new TensorAccount();
    private final List<String> wrong = new ArrayList<>();
    private final boolean believed;
    private final Map<String, List<String>> contradicted = new LinkedHashMap<>();

    /** @param believed the quantization_config has to agree with the tensors */
    CheckpointCheck(HfModel model, boolean believed) {
        this.model = model;
        this.believed = believed;
    }

    /** Throws BadInput (MODEL, NOT_SUPPORTED) naming all tensors that are missing, misshapen or unknown. */
    List<TensorFate> run() {
        ends();
        for (BlockLayout b : model.shape().blocks()) {
            block(b);
        }
        if (!wrong.isEmpty()) {
            throw BadInput.of(BadInput.Common.MODEL, "%s: %d tensors do not fit the config: %s", model.config().where(), wrong.size(),
                    String.join("; ", wrong.subList(0, Math.min(12, wrong.size()))));
        }
        if (!contradicted.isEmpty()) {
            throw BadInput.of(BadInput.Common.FORMAT, "%s: quantization_config and tensors contradict each other: %s; servers read other weights by the one than by the other. "
                    + "Set the configuration right; llmc4j audit compares the tensors with their original", model.config().where(), String.join("; ",
                    contradicted.entrySet().stream().map(e -> "it says " + e.getKey() + " (" + e.getValue().size() + " modules: " + String.join(", ",
                            e.getValue().subList(0, Math.min(12, e.getValue().size()))) + (e.getValue().size() > 12 ? ", …)" : ")")).toList()));
        }
        String inside = model.root().isEmpty() ? "" : model.root();
        return account.settle(model.store().names(), inside, model.shape().carried(), model.config().where());
    }

    private void ends() {
        EndsLayout e = model.shape().ends();
        int hidden = model.spec().hiddenSize();
        String embedding = model.tensorName(e.embedding());
        long width = model.store().get(embedding).shape().rank() == 2 ? model.store().get(embedding).shape().dim(1) : -1;
        if (e.projectIn().isEmpty()) {
            width = hidden;
        }
        long rows = model.store().get(embedding).shape().rank() == 2 ? model.store().get(embedding).shape().dim(0) : -1;
        require(embedding, "embedding", Math.max(rows, model.spec().vocabularySize()), width);
        if (!e.positions().isEmpty()) {
            String positions = model.tensorName(e.positions());
            long have = model.store().find(positions).map(t -> t.shape().dim(0)).orElse(0L);
            require(positions, "positions", Math.max(have, 1), hidden);
        }
        e.embeddingNorm().ifPresent(n -> norm(n, ""));
        e.finalNorm().ifPresent(n -> norm(n, ""));
        if (!e.projectIn().isEmpty()) {
            require(model.tensorName(e.projectIn()), "input projection", hidden, width);
            require(model.tensorName(e.projectOut()), "output projection", width, hidden);
        }
        String head = model.tensorName(e.head());
        if (e.tied()) {
            tiedHead(head, embedding);
        } else {
            require(head, "head", Math.max(rows, model.spec().vocabularySize()), width);
        }
        if (!e.headBias().isEmpty()) {
            require(model.tensorName(e.headBias()), "head bias", Math.max(rows, model.spec().vocabularySize()));
        }
    }

    /** A tied head that is stored all the same must repeat the embedding: loaders would use either. */
    private void tiedHead(String head, String embedding) {
        Optional<Tensor> stored = model.store().find(head);
        if (stored.isEmpty()) {
            return;
        }
        Tensor e = model.store().get(embedding);
        if (stored.get().dtype() != e.dtype() || !stored.get().shape().equals(e.shape()) || stored.get().bytes().mismatch(e.bytes()) != -1) {
            wrong.add(head + " differs from " + embedding + ", but tie_word_embeddings says that they are one; set it to false or remove the tensor");
        }
        account.drop(head, "repeats " + embedding + " (tied)");
    }

    private void block(BlockLayout b) {
        String prefix = model.tensorName(b.prefix());
        for (ModuleLayout m : b.modules()) {
            module(new StoredModule(model.store(), prefix, m));
        }
        b.norms().values().forEach(n -> norm(n, prefix + "."));
        b.vectors().values().forEach(v -> require(prefix + "." + v.tensor(), b.prefix() + ": vector", v.length()));
        b.buffers().forEach(t -> account.drop(prefix + "." + t, "a buffer that loaders compute"));
    }

    private void module(StoredModule m) {
        ModuleLayout layout = m.layout();
        if (model.isQuantized(m)) {
            model.weightReader().orElseThrow().tensors(m).forEach(t -> account.use(t, m.name()));
            if (believed) {
                model.weightReader().get().contradiction(m).ifPresent(c -> contradicted.computeIfAbsent(c, k -> new ArrayList<>()).add(m.name()));
            }
            if (layout.parts().stream().anyMatch(p -> p.role() == Role.K)) {
                model.weightReader().get().cacheScales(m);
            }
        } else {
            long rows = layout.inputMajor() ? layout.in() : layout.out();
            long cols = layout.inputMajor() ? layout.out() : layout.in();
            if (layout.stacked()) {
                stackedWeight(m, rows, cols);
            } else {
                require(m.weightName(), m.name(), rows, cols);
            }
            floatOnly(m.weightName());
        }
        Optional<Tensor> bias = model.store().find(m.biasName());
        if (bias.isPresent()) {
            if (layout.stacked()) {
                require(m.biasName(), m.name(), bias.get().shape().rank() == 2 ? bias.get().shape().dim(0) : -1, layout.out());
            } else {
                require(m.biasName(), m.name(), layout.out());
            }
        }
    }

    private void stackedWeight(StoredModule m, long rows, long cols) {
        Optional<Tensor> t = model.store().find(m.weightName());
        long experts = t.isPresent() && t.get().shape().rank() == 3 ? Math.max(t.get().shape().dim(0), m.layout().slice() + 1L) : -1;
        require(m.weightName(), m.name(), experts, rows, cols);
    }

    private void floatOnly(String tensor) {
        model.store().find(tensor).ifPresent(t -> {
            if (!t.dtype().isFloat()) {
                wrong.add(tensor + " is " + t.dtype() + ", and config.json has no quantization_config that says how to read it");
            } else if (t.dtype().bits() == 8) {
                wrong.add(tensor + " is " + t.dtype() + " without the scales that its quantization_config promises");
            }
        });
    }

    private void norm(NormLayout n, String prefix) {
        int each = n.weights().isEmpty() ? 0 : n.features() / n.weights().size();
        for (String w : n.weights()) {
            requireElements(name(prefix, w), "norm " + n.name(), each);
        }
        if (!n.bias().isEmpty() && model.store().contains(name(prefix, n.bias()))) {
            require(name(prefix, n.bias()), "norm " + n.name(), n.features());
        }
    }

    private String name(String prefix, String tensor) {
        return prefix.isEmpty() ? model.tensorName(tensor) : prefix + tensor;
    }

    private void require(String tensor, String role, long... dims) {
        account.use(tensor, role);
        Shape want = new Shape(java.util.Arrays.stream(dims).map(d -> Math.max(0, d)).toArray());
        model.store().find(tensor).ifPresent(t -> {
            if (!t.shape().equals(want)) {
                wrong.add(tensor + " is " + t.shape() + ", expected " + want);
            }
        });
    }

    /** Norms a head may be stored [heads, head_dim]. */
    private void requireElements(String tensor, String role, long elements) {
        account.use(tensor, role);
        model.store().find(tensor).ifPresent(t -> {
            if (t.elements() != elements) {
                wrong.add(tensor + " is " + t.shape() + ", expected " + elements + " values");
            }
        });
    }
}
