package io.llmc4j.formats.export;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.ModuleLayout;
import io.llmc4j.formats.hf.StoredModule;
import io.llmc4j.formats.hf.WeightReader;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Holds a written directory to what the run computed. Of each module only checksums are kept, so that memory does not grow with the model:
 * when it is written, what a reader should give back is compared with the run's own quantized weight, value by value; when the directory is read
 * back, codes, scales, zero points, column order and dequantized values must have the checksums of just that, and every tensor its bytes.
 */
final class ReadBack {

    private static final int GRAIN = 1 << 18;

    private final Map<String, String> modules = new LinkedHashMap<>();
    private final List<String> atWriting = new ArrayList<>();
    private Map<String, String> tensors = Map.of();

    /** What a reader should give back of a module, held to what the run computed with. */
    void expect(String module, ModuleWriter.Coded coded) {
        float[] got = coded.values().data();
        float[] want = coded.reference().data();
        int at = worst(got, want, coded.slack());
        int cols = coded.reference().cols();
        if (at >= 0) {
            atWriting.add(String.format(Locale.ROOT, "%s: the codes as they are stored give %g at [%d, %d], the run computed %g (difference %g)", module,
                    got[at], at / cols, at % cols, want[at], Math.abs((double) got[at] - want[at])));
        }
        modules.put(module, digest(new WeightReader.Decoded(coded.stored(), coded.values())));
    }

    /** Where the difference is largest of those that are too large; -1: nowhere. */
    private static int worst(float[] got, float[] want, double slack) {
        AtomicBoolean apart = new AtomicBoolean();
        Parallel.forRange(want.length, GRAIN, (from, to) -> {
            if (!agree(got, want, slack, from, to)) {
                apart.set(true);
            }
        });
        double worst = 0;
        int at = -1;
        for (int i = 0; apart.get() && i < want.length; i++) {
            double d = Math.abs((double) got[i] - want[i]);
            if (!(d <= allowed(want[i], slack)) && !(d <= worst)) {
                worst = d;
                at = i;
            }
        }
        return at;
    }

    private static boolean agree(float[] got, float[] want, double slack, int from, int to) {
        boolean agree = true;
        for (int i = from; i < to; i++) {
            agree &= Math.abs((double) got[i] - want[i]) <= allowed(want[i], slack);
        }
        return agree;
    }

    /** A scale in half precision moves a value by at most 2^-11 of it; a scale below its normal range moves it further, and is told. */
    private static double allowed(float want, double slack) {
        return Math.abs(want) * 0x1.1p-11 + slack;
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
                } else if (!want.equals(digest(model.decoded(stored)))) {
                    out.add(stored.name() + ": codes, scales or zero points read back differ from those of the run");
                }
            }
        }
        left.keySet().forEach(n -> out.add(n + " was written and the reader does not find it"));
    }

    private static String digest(WeightReader.Decoded m) {
        Checksum sum = new Checksum();
        m.codes().ifPresent(q -> {
            sum.add(q.codes()).add(q.scales()).add(q.zeros());
            ByteBuffer rest = ByteBuffer.allocate(4 * q.columnGroup().length + 12);
            rest.asIntBuffer().put(q.columnGroup());
            rest.position(4 * q.columnGroup().length);
            rest.putInt(q.rows()).putInt(q.cols()).putFloat(q.tensorScale());
            sum.add(rest.array());
        });
        return sum.add(m.weight().data()).text();
    }
}
