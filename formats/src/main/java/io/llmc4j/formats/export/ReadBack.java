package io.llmc4j.formats.export;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.ModuleLayout;
import io.llmc4j.formats.hf.StoredModule;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Holds a written directory to what the run computed. Of each module only checksums are kept, so that memory does not grow with the model:
 * when it is written, what a reader should give back is compared with the run's own quantized weight, value by value; when the directory is read
 * back, codes, scales, zero points, column order and dequantized values must have the checksums of just that, and every tensor its bytes.
 */
final class ReadBack {

    private final Map<String, String> modules = new LinkedHashMap<>();
    private final List<String> atWriting = new ArrayList<>();
    private Map<String, String> tensors = Map.of();

    /** What a reader should give back of a module, held to what the run computed with. */
    void expect(String module, ModuleWriter.Coded coded) {
        float[] got = coded.values().data();
        float[] want = coded.reference().data();
        double worst = 0;
        int at = -1;
        for (int i = 0; i < want.length; i++) {
            double d = Math.abs((double) got[i] - want[i]);
            // a scale in half precision moves a value by at most 2^-11 of it; a scale below its normal range moves it further, and is told here
            double allowed = Math.abs(want[i]) * 0x1.1p-11 + coded.slack();
            if (!(d <= allowed) && !(d <= worst)) {
                worst = d;
                at = i;
            }
        }
        int cols = coded.reference().cols();
        if (at >= 0) {
            atWriting.add(String.format(Locale.ROOT, "%s: the codes as they are stored give %g at [%d, %d], the run computed %g (difference %g)", module,
                    got[at], at / cols, at % cols, want[at], worst));
        }
        modules.put(module, digest(coded.stored(), coded.values()));
    }

    /** What {@link #resume} needs. */
    ObjectNode mark() {
        ObjectNode mark = JsonNodeFactory.instance.objectNode();
        ObjectNode m = mark.putObject("modules");
        modules.forEach(m::put);
        ArrayNode told = mark.putArray("atWriting");
        atWriting.forEach(told::add);
        return mark;
    }

    void resume(JsonNode mark) {
        mark.path("modules").properties().forEach(e -> modules.put(e.getKey(), e.getValue().asText()));
        mark.path("atWriting").forEach(t -> atWriting.add(t.asText()));
    }

    /** Of every tensor that was written. */
    void digests(Map<String, String> all) {
        tensors = all;
    }

    /** One sentence a difference; empty when the directory holds what the run computed. */
    List<String> differences(Path directory) {
        List<String> out = new ArrayList<>(atWriting);
        try (HfModel model = HfModel.open(directory)) {
            Set<String> present = new HashSet<>(model.store().names());
            tensors.forEach((name, digest) -> {
                // what was read before leaves the memory, so that the peak does not grow with the model
                model.release();
                if (!present.remove(name)) {
                    out.add(name + " was written and is not there");
                } else if (!digest.equals(ShardStage.digest(model.store().get(name)))) {
                    out.add(name + " has other bytes than were written");
                }
            });
            present.forEach(name -> out.add(name + " is there and was not written"));
            compareModules(model, out);
        } catch (BadInput e) {
            out.add("the written directory cannot be read back: " + e.getMessage());
        }
        return out;
    }

    private void compareModules(HfModel model, List<String> out) {
        Map<String, String> left = new HashMap<>(modules);
        for (BlockLayout b : model.shape().blocks()) {
            model.release();
            for (ModuleLayout m : b.modules()) {
                StoredModule stored = model.module(b.index(), m);
                String want = left.remove(stored.name());
                if (want == null) {
                    if (model.isQuantized(stored)) {
                        out.add(stored.name() + " reads as quantized and was written as floats");
                    }
                } else if (!model.isQuantized(stored)) {
                    out.add(stored.name() + " was written as codes and reads as floats");
                } else if (!want.equals(digest(model.codes(stored), model.weight(stored)))) {
                    out.add(stored.name() + ": codes, scales or zero points read back differ from those of the run");
                }
            }
        }
        left.keySet().forEach(n -> out.add(n + " was written and the reader does not find it"));
    }

    private static String digest(Optional<QuantizedMatrix> codes, Matrix values) {
        MessageDigest d = ShardStage.sha256();
        codes.ifPresent(q -> update(d, q));
        update(d, values.data());
        return HexFormat.of().formatHex(d.digest());
    }

    private static void update(MessageDigest d, QuantizedMatrix q) {
        d.update(q.codes());
        update(d, q.scales());
        update(d, q.zeros());
        ByteBuffer order = ByteBuffer.allocate(4 * q.columnGroup().length + 12);
        order.asIntBuffer().put(q.columnGroup());
        order.position(4 * q.columnGroup().length);
        order.putInt(q.rows()).putInt(q.cols()).putFloat(q.tensorScale());
        d.update(order.flip());
    }

    private static void update(MessageDigest d, float[] values) {
        ByteBuffer b = ByteBuffer.allocate(1 << 14);
        for (int i = 0; i < values.length; i += 1 << 12) {
            int n = Math.min(1 << 12, values.length - i);
            b.clear();
            b.asFloatBuffer().put(values, i, n);
            d.update(b.limit(4 * n));
        }
    }
}
