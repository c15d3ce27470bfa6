package io.llmc4j.cli.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.engine.BadInput;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;

/**
 * Times of another program for the same work on the same machine.
 *
 * @param name    of the program
 * @param threads that it used: its times stand beside our column of as many
 * @param byId    seconds of a case
 */
public record Peer(String name, int threads, Map<String, Double> byId) {

    /** Reads {@code {"name": ..., "threads": ..., "seconds": {id: ...}}}. */
    public static Peer read(Path file) {
        try {
            JsonNode root = new ObjectMapper().readTree(file.toFile());
            Map<String, Double> seconds = new LinkedHashMap<>();
            root.path("seconds").properties().forEach(e -> seconds.put(e.getKey(), e.getValue().asDouble()));
            if (seconds.isEmpty() || seconds.values().stream().anyMatch(s -> !(s > 0))) {
                throw BadInput.of(BadInput.Common.DATA, "%s: expected an object 'seconds' of case ids and times above 0", file);
            }
            return new Peer(root.path("name").asText("peer"), root.path("threads").asInt(1), seconds);
        } catch (IOException e) {
            throw BadInput.of(BadInput.Common.DATA, "%s cannot be read as JSON: %s", file, e.getMessage());
        }
    }

    public OptionalDouble seconds(String id) {
        Double s = byId.get(id);
        return s == null ? OptionalDouble.empty() : OptionalDouble.of(s);
    }

    /** The column that its times are held to: that of as many threads, else the first. */
    public int column(List<BenchColumn> columns) {
        for (int i = 0; i < columns.size(); i++) {
            if (!columns.get(i).device() && columns.get(i).threads() == threads) {
                return i;
            }
        }
        return 0;
    }
}
