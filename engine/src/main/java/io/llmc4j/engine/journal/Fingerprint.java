package io.llmc4j.engine.journal;

import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.pipeline.IgnoredLayers;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.SchemePlan;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * All that the bytes of a result depend on, by name: a run may only be taken up where every field is what it was.
 *
 * @param fields name to value; long values as checksums
 */
public record Fingerprint(Map<String, String> fields) {

    public Fingerprint {
        fields = java.util.Collections.unmodifiableMap(new TreeMap<>(fields));
    }

    /** Configuration and data of a run; the caller adds model, program and outputs by {@link #with}. */
    public static Fingerprint of(RunConfig config) {
        Map<String, String> f = new TreeMap<>();
        for (int i = 0; i < config.methods().size(); i++) {
            f.put("method " + (i + 1), config.methods().get(i).name());
            String at = "setting " + config.methods().get(i).name() + ".";
            config.methods().get(i).special().forEach((k, v) -> f.put(at + k, String.valueOf(v)));
        }
        SchemePlan s = config.schemes();
        f.put("weight scheme", s.weight().toString());
        f.put("activation scheme", s.activation().toString());
        f.put("mixed bits", s.mixed().toString());
        IgnoredLayers ignored = s.ignored();
        f.put("ignored layers", new TreeSet<>(ignored.blocks()) + " " + new TreeSet<>(ignored.names()) + " " + new TreeSet<>(ignored.fullNames()));
        f.put("kv cache", config.kvCache().toString());
        f.put("other roundings", config.sites().toString());
        f.put("quant_out", String.valueOf(config.quantOut()));
        f.put("compat", config.llmcCompatible() ? "llmc" : "none");
        f.put("seed", String.valueOf(config.seed()));
        f.put("tokens of a chunk", String.valueOf(config.memory().chunkTokens()));
        config.calibration().ifPresent(c -> f.put("calibration data", data(c)));
        for (int i = 0; i < config.evaluations().size(); i++) {
            Evaluation e = config.evaluations().get(i);
            f.put("evaluation " + (i + 1), e.name() + ", " + e.kind() + " at " + new TreeSet<>(e.positions()) + ", " + ids(e.windows()));
        }
        return new Fingerprint(f);
    }

    private static String data(CalibrationSet c) {
        return c.name() + ", batches of " + c.batchSize() + ", " + ids(c.samples());
    }

    private static String ids(int[][] samples) {
        MessageDigest sha = sha256();
        for (int[] s : samples) {
            ByteBuffer b = ByteBuffer.allocate(4 + 4 * s.length);
            b.putInt(s.length);
            b.asIntBuffer().put(s);
            sha.update(b.array());
        }
        return samples.length + " samples, ids sha256:" + HexFormat.of().formatHex(sha.digest());
    }

    /** With one more field. */
    public Fingerprint with(String name, String value) {
        Map<String, String> f = new TreeMap<>(fields);
        f.put(name, value);
        return new Fingerprint(f);
    }

    /** With the checksum of a text that is too long to be shown. */
    public Fingerprint withDigest(String name, String text) {
        return with(name, "sha256:" + HexFormat.of().formatHex(sha256().digest(text.getBytes(StandardCharsets.UTF_8))));
    }

    /** One clause a field that is another now: "seed was 1 and is 2". */
    public List<String> changes(Fingerprint now) {
        List<String> out = new ArrayList<>();
        TreeSet<String> names = new TreeSet<>(fields.keySet());
        names.addAll(now.fields.keySet());
        for (String n : names) {
            String before = fields.getOrDefault(n, "absent");
            String after = now.fields.getOrDefault(n, "absent");
            if (!before.equals(after)) {
                out.add(n + " was " + before + " and is " + after);
            }
        }
        return out;
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
