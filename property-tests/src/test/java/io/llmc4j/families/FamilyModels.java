package io.llmc4j.families;

import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.KvCache;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.pipeline.ModelSource;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.TensorStore;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.zip.GZIPInputStream;

/** The tiny models under {@code families/} (its README says what they are). */
public final class FamilyModels {

    /** Every variant with weights of its own or borrowed. */
    public static final List<String> VARIANTS = List.of("bloom-12heads", "cohere", "deepseek-v2", "deepseek-v2-lite", "deepseek-v3", "falcon-mq", "falcon-new",
            "falcon-rw-alibi", "gemma", "gemma2", "gemma3-text", "glm", "glm4", "gpt-neox", "gpt-oss", "gpt2", "gptj", "granite", "llama-rope-llama3",
            "llama-rope-yarn", "mistral-window", "mixtral", "olmo2", "opt", "opt-postnorm-proj", "phi", "phi3", "phi3-longrope", "qwen2", "qwen2-moe",
            "qwen3", "qwen3-moe", "smollm3", "stablelm", "stablelm-parallel-qknorm", "starcoder-mqa", "starcoder2", "llama-rope-linear",
            "llama-rope-dynamic", "deepseek-v3-yarn", "phi3-longrope-short", "internlm2", "minicpm", "qwen", "chatglm");

    /** Variants whose config.json is also there in the style of transformers 5. */
    public static final List<String> NEWER = List.of("deepseek-v3", "gemma3-text", "gpt-oss", "llama-rope-llama3", "mixtral", "phi3-longrope", "qwen3",
            "qwen3-moe");

    /** Variants that are another one's weights under another config, with references by transformers 5.18. */
    private static final Map<String, String> BORROWED = Map.of("phi3-longrope", "phi3", "phi3-longrope-short", "phi3", "llama-rope-linear", "llama-rope-yarn",
            "llama-rope-dynamic", "llama-rope-yarn", "deepseek-v3-yarn", "deepseek-v3");

    private FamilyModels() {
    }

    public static HfConfig config(String variant) {
        return HfConfig.parse(new String(resource("families/" + variant + "/config.json"), StandardCharsets.UTF_8), variant + "/config.json");
    }

    public static SafetensorsFile weights(String variant) {
        return planes("families/" + BORROWED.getOrDefault(variant, variant) + "/model.planes.gz");
    }

    public static HfModel open(String variant) {
        return HfModel.of(config(variant), TensorStore.of(weights(variant)));
    }

    public static int[][] ids(String variant) {
        try (SafetensorsFile f = planes("families/" + variant + "/reference.planes.gz")) {
            return new int[][] {Tensors.toInts(f.tensor("input_ids"))};
        }
    }

    /** [24, vocabulary], of the last tokens. */
    public static Matrix reference(String variant, String name) {
        try (SafetensorsFile f = planes("families/" + variant + "/reference.planes.gz")) {
            return Tensors.toMatrix(f.tensor(name));
        }
    }

    /** Logits of all tokens. */
    public static Matrix logits(ModelSource model, int[][] ids) {
        Decoder decoder = new Decoder(model.spec());
        ModelEnds ends = model.ends();
        Hidden h = decoder.embed(ends, ids);
        for (int i = 0; i < model.spec().blocks(); i++) {
            h = decoder.block(model.block(i), h, ForwardHooks.NONE);
        }
        return decoder.logits(ends, h);
    }

    /** Logits of all tokens, the tokens fed in two or more steps through a cache. */
    public static Matrix logitsInSteps(ModelSource model, int[][] ids, KvCache cache, int... steps) {
        Decoder decoder = new Decoder(model.spec());
        ModelEnds ends = model.ends();
        List<float[]> parts = new ArrayList<>();
        int at = 0;
        for (int n : steps) {
            int[][] part = new int[ids.length][];
            for (int b = 0; b < ids.length; b++) {
                part[b] = java.util.Arrays.copyOfRange(ids[b], at, at + n);
            }
            Hidden h = decoder.embed(ends, part, at);
            for (int i = 0; i < model.spec().blocks(); i++) {
                h = decoder.block(model.block(i), h, ForwardHooks.NONE, cache);
            }
            parts.add(decoder.logits(ends, h).data());
            at += n;
        }
        int total = parts.stream().mapToInt(p -> p.length).sum();
        float[] all = new float[total];
        int to = 0;
        for (float[] p : parts) {
            System.arraycopy(p, 0, all, to, p.length);
            to += p.length;
        }
        return new Matrix(at, total / at, all);
    }

    /** Largest difference over the largest absolute value of the reference; {@code x} may have rows before the reference's. */
    public static double difference(Matrix reference, Matrix x) {
        int skip = (x.rows() - reference.rows()) * x.cols();
        double largest = 0;
        double worst = 0;
        for (int i = 0; i < reference.data().length; i++) {
            double d = Math.abs(reference.data()[i] - x.data()[skip + i]);
            worst = Double.isNaN(d) ? Double.POSITIVE_INFINITY : Math.max(worst, d);
            largest = Math.max(largest, Math.abs(reference.data()[i]));
        }
        return worst / largest;
    }

    /** The same weights in an architecture whose layers are other data. */
    public static ModelSource respecified(ModelSource model, UnaryOperator<LayerSpec> layer) {
        ModelSpec s = model.spec();
        ModelSpec spec = new ModelSpec(s.family(), s.hiddenSize(), s.vocabularySize(), s.contextLength(), s.embeddingMultiplier(), s.positionOffset(),
                s.logitMultiplier(), s.logitSoftCap(), s.layers().stream().map(layer).toList());
        return new ModelSource() {
            @Override
            public ModelSpec spec() {
                return spec;
            }

            @Override
            public ModelEnds ends() {
                return model.ends();
            }

            @Override
            public Block block(int index) {
                Block b = model.block(index);
                return new Block(index, spec.layers().get(index), b.linears(), b.norms(), b.vectors(), b.subsets());
            }

            @Override
            public String blockPrefix(int index) {
                return model.blockPrefix(index);
            }

            @Override
            public void close() {
                // The model is its opener's.
            }
        };
    }

    /** Tensors of a map, for models that a test puts together. */
    public static TensorStore store(Map<String, Tensor> tensors) {
        return new TensorStore() {
            @Override
            public List<String> names() {
                return List.copyOf(tensors.keySet());
            }

            @Override
            public Optional<Tensor> find(String name) {
                return Optional.ofNullable(tensors.get(name));
            }

            @Override
            public void close() {
            }
        };
    }

    private static SafetensorsFile planes(String resource) {
        byte[] packed = resource(resource);
        int length = ByteBuffer.wrap(packed).order(ByteOrder.LITTLE_ENDIAN).getInt();
        int words = (packed.length - 4) / 4;
        byte[] out = new byte[length];
        for (int i = 0; i < length; i++) {
            out[i] = packed[4 + (i & 3) * words + (i >> 2)];
        }
        return SafetensorsFile.of(out, resource);
    }

    private static byte[] resource(String name) {
        try (InputStream in = FamilyModels.class.getClassLoader().getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalArgumentException("no test resource " + name);
            }
            return name.endsWith(".gz") ? new GZIPInputStream(in).readAllBytes() : in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
