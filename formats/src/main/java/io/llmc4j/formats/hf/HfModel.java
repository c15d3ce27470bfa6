package io.llmc4j.formats.hf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.TensorPieces;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.pipeline.ModelSource;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.safetensors.Checkpoint;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ref.WeakReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A Hugging Face model: config.json and safetensors, float or quantized in a way that {@link WeightFormats} reads. Opening checks every tensor's
 * name and shape; weights stay mapped and are decoded when asked for.
 */
public final class HfModel implements ModelSource {

    private final Optional<Path> directory;
    private final HfConfig config;
    private final ModelShape shape;
    private final TensorStore store;
    private final Optional<WeightReader> reader;
    private final String root;
    private final List<TensorFate> account;

    private HfModel(Optional<Path> directory, HfConfig config, TensorStore store, boolean believed) {
        this.directory = directory;
        this.config = config;
        this.store = store;
        this.shape = ModelShape.of(config);
        this.reader = WeightFormats.of(config);
        this.root = findRoot();
        this.account = new CheckpointCheck(this, believed).run();
    }

    /** A directory. Throws BadInput (MODEL, NOT_SUPPORTED, or a safetensors kind) naming what is wrong. */
    public static HfModel open(Path directory) {
        return open(directory, true);
    }

    /** The same for an audit: a quantization_config that its tensors contradict is left to the caller, {@link WeightReader#contradiction}. */
    public static HfModel examine(Path directory) {
        return open(directory, false);
    }

    private static HfModel open(Path directory, boolean believed) {
        if (!Files.isDirectory(directory)) {
            throw BadInput.of(BadInput.Common.MODEL, "%s: there is no such directory", directory);
        }
        HfConfig config = HfConfig.read(directory.resolve("config.json"));
        ModelShape.of(HfConfig.read(directory.resolve("config.json")));
        TensorStore store = TensorStore.of(Checkpoint.open(directory));
        return closingOnError(Optional.of(directory), config, store, believed);
    }

    /** A model whose parts lie elsewhere. The model owns the store. */
    public static HfModel of(HfConfig config, TensorStore store) {
        return closingOnError(Optional.empty(), config, store, false);
    }

    private static HfModel closingOnError(Optional<Path> directory, HfConfig config, TensorStore store, boolean believed) {
        try {
            return new HfModel(directory, config, store, believed);
        } catch (RuntimeException | Error e) {
            store.close();
            throw e;
        }
    }

    /** The family's first name part as this checkpoint spells it. */
    private String findRoot() {
        String own = shape.roots().getFirst();
        String inner = shape.ends().embedding().substring(own.length());
        return shape.roots().stream().filter(r -> store.contains(r + inner)).findFirst()
                .orElseThrow(() -> BadInput.of(BadInput.Common.MODEL, "%s: no embedding; looked for %s", config.where(),
                        String.join(", ", shape.roots().stream().map(r -> r + inner).toList())));
    }

    @Override
    public ModelSpec spec() {
        return shape.spec();
    }

    public ModelShape shape() {
        return shape;
    }

    public HfConfig config() {
        return config;
    }

    /** Empty for a model that was put together in memory. */
    public Optional<Path> directory() {
        return directory;
    }

    public TensorStore store() {
        return store;
    }

    public Optional<WeightReader> weightReader() {
        return reader;
    }

    /** Every tensor of the checkpoint, in its order. */
    public List<TensorFate> account() {
        return account;
    }

    /** What is carried over and why, by the first parts of names: "vision_tower" to "25 tensors, not part of the text model". */
    public Map<String, String> carried() {
        Map<String, Integer> counts = new LinkedHashMap<>();
        Map<String, String> reasons = new HashMap<>();
        account.stream().filter(f -> f.fate() == TensorFate.Fate.CARRIED).forEach(f -> {
            String[] parts = f.tensor().split("\\.");
            int n = parts.length > 1 && parts[0].equals("model") ? parts[1].equals("layers") ? 3 : 2 : 1;
            String group = String.join(".", Arrays.copyOf(parts, Math.min(n, parts.length)));
            counts.merge(group, 1, Integer::sum);
            reasons.put(group, f.note());
        });
        Map<String, String> out = new LinkedHashMap<>();
        counts.forEach((group, n) -> out.put(group, n + (n == 1 ? " tensor, " : " tensors, ") + reasons.get(group)));
        return out;
    }

    /** Whatever is carried over and is not known to stay out of the stream feeds it. */
    @Override
    public List<String> beside() {
        return carried().entrySet().stream().filter(e -> e.getValue().endsWith(TensorAccount.OUTSIDE)).map(Map.Entry::getKey).toList();
    }

    /** Files beside config.json and the weights, to be copied byte for byte, by relative path. */
    public List<Path> sideFiles() {
        if (directory.isEmpty()) {
            return List.of();
        }
        try (Stream<Path> files = Files.walk(directory.get())) {
            return files.filter(Files::isRegularFile).map(directory.get()::relativize)
                    .filter(p -> !SideFiles.isWeightOrConfig(p)).sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A name as the family has it, as this checkpoint spells it. */
    public String tensorName(String canonical) {
        String own = shape.roots().getFirst();
        if (canonical.startsWith(own)) {
            return root + canonical.substring(own.length());
        }
        if (store.contains(canonical)) {
            return canonical;
        }
        // A head outside the root may be wrapped together with it.
        return shape.roots().stream().map(r -> wrapper(r, own) + canonical).filter(store::contains).findFirst().orElse(canonical);
    }

    private static String wrapper(String candidate, String own) {
        return candidate.endsWith(own) ? candidate.substring(0, candidate.length() - own.length()) : "";
    }

    /** What everything of the text model starts with in this checkpoint. */
    String root() {
        return root;
    }

    @Override
    public String blockPrefix(int index) {
        return tensorName(shape.blocks().get(index).prefix());
    }

    public BlockLayout layout(int index) {
        return shape.blocks().get(index);
    }

    public StoredModule module(int block, ModuleLayout layout) {
        return new StoredModule(store, blockPrefix(block), layout);
    }

    /** Whether the module's weight is stored quantized. */
    public boolean isQuantized(StoredModule m) {
        return reader.isPresent() && reader.get().holds(m);
    }

    /** A module's weight, decoded, [out, in]. */
    public Matrix weight(StoredModule m) {
        if (isQuantized(m)) {
            return reader.get().weight(m);
        }
        Tensor t = store.get(m.weightName());
        ModuleLayout layout = m.layout();
        if (layout.stacked()) {
            t = Tensors.rows(t, layout.slice(), layout.slice() + 1);
        }
        Matrix stored = new Matrix(layout.inputMajor() ? layout.in() : layout.out(), layout.inputMajor() ? layout.out() : layout.in(),
                TensorPieces.toMatrix(t).data());
        return layout.inputMajor() ? stored.transpose() : stored;
    }

    /** Both of a module that is stored quantized. */
    public WeightReader.Decoded decoded(StoredModule m) {
        return reader.orElseThrow().decoded(m);
    }

    /** A module's stored codes; empty when it is stored as floats. */
    public Optional<QuantizedMatrix> codes(StoredModule m) {
        return isQuantized(m) ? reader.get().codes(m) : Optional.empty();
    }

    private float[] bias(StoredModule m) {
        Optional<Tensor> t = store.find(m.biasName());
        if (t.isEmpty()) {
            return new float[0];
        }
        int slice = m.layout().slice();
        return Tensors.toFloats(slice < 0 ? t.get() : Tensors.rows(t.get(), slice, slice + 1));
    }

    @Override
    public Block block(int index) {
        BlockLayout layout = layout(index);
        String prefix = blockPrefix(index);
        List<Linear> linears = new ArrayList<>();
        for (ModuleLayout m : layout.modules()) {
            StoredModule stored = new StoredModule(store, prefix, m);
            float[] bias = bias(stored);
            Decoded decoded = new Decoded(stored);
            for (ModuleLayout.Part p : m.parts()) {
                linears.add(new Linear(p.linear(), p.role(), p.expert(), p.rows().rows(), m.in(), () -> decoded.part(p), ModuleCodec.split(m, p, bias)));
            }
        }
        Map<NormSlot, Norm> norms = new EnumMap<>(NormSlot.class);
        layout.norms().forEach((slot, n) -> norms.put(slot, n.load(t -> optionalFloats(prefix + "." + t))));
        Map<String, float[]> vectors = new HashMap<>();
        layout.vectors().forEach((key, v) -> vectors.put(key, Tensors.toFloats(store.get(prefix + "." + v.tensor()))));
        return new Block(index, spec().layers().get(index), linears, norms, vectors, layout.subsets());
    }

    private float[] optionalFloats(String tensor) {
        return store.find(tensor).map(Tensors::toFloats).orElse(new float[0]);
    }

    /** A module decoded once for all of its layers, as long as somebody asks within one collection. */
    private final class Decoded {
        private final StoredModule module;
        private WeakReference<Matrix> whole = new WeakReference<>(null);

        Decoded(StoredModule module) {
            this.module = module;
        }

        synchronized Matrix part(ModuleLayout.Part p) {
            if (!module.layout().fused()) {
                return weight(module);
            }
            Matrix m = whole.get();
            if (m == null) {
                m = weight(module);
                whole = new WeakReference<>(m);
            }
            return ModuleCodec.split(module.layout(), p, m);
        }
    }

    @Override
    public ModelEnds ends() {
        EndsLayout e = shape.ends();
        return new ModelEnds(store.get(tensorName(e.embedding())), named(e.positions()), e.embeddingNorm().map(this::norm),
                named(e.projectIn()).map(Tensors::toMatrix), e.finalNorm().map(this::norm), named(e.projectOut()).map(Tensors::toMatrix),
                e.tied() ? Optional.empty() : named(e.head()), named(e.headBias()).map(Tensors::toFloats).orElse(new float[0]));
    }

    private Optional<Tensor> named(String canonical) {
        return canonical.isEmpty() ? Optional.empty() : store.find(tensorName(canonical));
    }

    private Norm norm(NormLayout n) {
        return n.load(t -> optionalFloats(tensorName(t)));
    }

    @Override
    public void checkUnchanged() {
        store.checkUnchanged();
    }

    @Override
    public void release() {
        store.release();
    }

    @Override
    public void close() {
        store.close();
    }
}
