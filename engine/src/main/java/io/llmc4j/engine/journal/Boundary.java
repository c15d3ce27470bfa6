package io.llmc4j.engine.journal;

import io.llmc4j.engine.json.Json;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.pipeline.RunSummary;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A run between two blocks, apart from its states.
 *
 * @param blocksDone the next block's index
 * @param rows       of the report, so far
 * @param marks      one a sink ({@link io.llmc4j.engine.pipeline.ResumableSink#mark})
 * @param written    one a sink when all of them are prepared and only renames are left; empty before
 * @param states     file of states beside the journal
 * @param carried    names of the lists that stages keep
 * @param artifacts  file and key of each saved matrix
 */
public record Boundary(int blocksDone, List<RunSummary.LayerRow> rows, List<String> marks, List<ModelSink.Written> written, String states, List<String> carried,
                       List<List<String>> artifacts) {

    public boolean prepared() {
        return !written.isEmpty();
    }

    Map<String, Object> asMap() {
        Map<String, Object> m = new LinkedHashMap<>();
        m.put("blocksDone", blocksDone);
        m.put("states", states);
        m.put("carried", carried);
        m.put("artifacts", artifacts);
        m.put("rows", rows.stream().map(r -> List.of(r.block(), r.name(), r.out(), r.in(), r.bits(), r.meanSquaredError(), r.relativeError(), r.seconds(), r.notes())).toList());
        m.put("marks", marks);
        m.put("written", written.stream().map(w -> List.of(w.directory().toString(), w.files().stream().map(f -> List.of(f.name(), f.bytes(), f.sha256())).toList(),
                w.dropped())).toList());
        return m;
    }

    /** What {@link #asMap} gave; ClassCastException and its kin for anything else. */
    static Boundary of(Map<String, Object> m) {
        List<RunSummary.LayerRow> rows = new ArrayList<>();
        for (Object o : (List<?>) m.get("rows")) {
            List<?> r = (List<?>) o;
            rows.add(new RunSummary.LayerRow(Math.toIntExact((Long) r.get(0)), (String) r.get(1), Math.toIntExact((Long) r.get(2)), Math.toIntExact((Long) r.get(3)),
                    Json.number(r.get(4)), Json.number(r.get(5)), Json.number(r.get(6)), Json.number(r.get(7)), texts(r.get(8))));
        }
        List<ModelSink.Written> written = new ArrayList<>();
        for (Object o : (List<?>) m.get("written")) {
            List<?> w = (List<?>) o;
            List<ModelSink.WrittenFile> files = new ArrayList<>();
            for (Object f : (List<?>) w.get(1)) {
                List<?> x = (List<?>) f;
                files.add(new ModelSink.WrittenFile((String) x.get(0), (Long) x.get(1), (String) x.get(2)));
            }
            written.add(new ModelSink.Written(java.nio.file.Path.of((String) w.get(0)), files, texts(w.get(2))));
        }
        List<List<String>> artifacts = new ArrayList<>();
        ((List<?>) m.get("artifacts")).forEach(a -> artifacts.add(texts(a)));
        return new Boundary(Math.toIntExact((Long) m.get("blocksDone")), rows, texts(m.get("marks")), written, (String) m.get("states"), texts(m.get("carried")), artifacts);
    }

    private static List<String> texts(Object list) {
        return ((List<?>) list).stream().map(String.class::cast).toList();
    }
}
