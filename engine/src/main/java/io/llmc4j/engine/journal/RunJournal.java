package io.llmc4j.engine.journal;

import io.llmc4j.engine.json.Json;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.StateStore;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.pipeline.RunSummary;
import io.llmc4j.engine.safetensors.AtomicFile;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.Matrix;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;

/**
 * The journal of a run, in a hidden directory beside its output ({@link Place}). At block boundaries it takes down, forced to the disk and atomically
 * switched, all that another process needs to go on: how far the sinks are, the states that wait for the next block, the report's rows. A run that
 * is killed goes on from the last of them and ends with the same bytes. While a journal is open it holds the output's lock.
 *
 * <p>Saving costs time where states are large. It takes at most a tenth of a run's: after a save, no other one for nine times as long (system property
 * {@code llmc4j.journal.share}: another share; 1 saves at every boundary). The last boundary is always saved.
 */
public final class RunJournal implements AutoCloseable {

    private static final String JOURNAL = "journal.json";
    private static final long FORMAT = 1;

    private final Path directory;
    private final RunLock lock;
    private final Fingerprint fingerprint;
    private final int blocks;
    private final double share = Double.parseDouble(System.getProperty("llmc4j.journal.share", "0.1"));
    private final ReentrantLock writing = new ReentrantLock();
    private Optional<Boundary> boundary;
    private long dueAt = System.nanoTime();
    private boolean closed;

    private RunJournal(Path directory, RunLock lock, Fingerprint fingerprint, int blocks, Optional<Boundary> boundary) {
        this.directory = directory;
        this.lock = lock;
        this.fingerprint = fingerprint;
        this.blocks = blocks;
        this.boundary = boundary;
    }

    /** How far an unfinished run came. {@code prepared}: all is computed and only renames, check and report are left. */
    public record Found(int blocksDone, int blocks, boolean prepared) { }

    /**
     * Where a run's journal is.
     *
     * @param output what the run writes, for messages
     */
    public record Place(Path directory, Path output) {

        /** ".out.journal" beside an output directory that does not exist yet. */
        public static Place beside(Path output) {
            Path o = output.toAbsolutePath().normalize();
            return new Place(o.resolveSibling("." + o.getFileName() + ".journal"), output);
        }

        /** ".journal" in a directory that holds several outputs. */
        public static Place in(Path directory) {
            return new Place(directory.toAbsolutePath().normalize().resolve(".journal"), directory);
        }
    }

    /** The unfinished run there, if there is one. Throws BadInput (OUTPUT) when its journal cannot be read. */
    public static Optional<Found> find(Place place) {
        return read(place.directory).map(k -> new Found(k.boundary.blocksDone(), k.blocks, k.boundary.prepared()));
    }

    /**
     * A new journal. Throws BadInput (OUTPUT) when another run holds the output, or when one lies there unfinished and {@code overwrite} does not say
     * that it may go.
     */
    public static RunJournal begin(Place place, Fingerprint fingerprint, int blocks, boolean overwrite) {
        Path directory = place.directory;
        RunLock lock = lock(place);
        try {
            Optional<Found> found = overwrite ? Optional.empty() : find(place);
            if (found.isPresent()) {
                throw BadInput.of(BadInput.Common.OUTPUT, "a run into %s did not finish (%d of %d blocks are done); go on with --resume, or start again with --overwrite",
                        place.output, found.get().blocksDone(), found.get().blocks());
            }
            clear(directory);
            return new RunJournal(directory, lock, fingerprint, blocks, Optional.empty());
        } catch (RuntimeException e) {
            lock.close();
            throw e;
        }
    }

    /**
     * The journal of an unfinished run, or a new one where there is none. Throws BadInput (OUTPUT) when another run holds the output, and (CONFIG)
     * naming every field of the fingerprint that is another now.
     */
    public static RunJournal resume(Place place, Fingerprint fingerprint, int blocks) {
        Path directory = place.directory;
        RunLock lock = lock(place);
        try {
            Optional<Kept> kept = read(directory);
            if (kept.isEmpty()) {
                clear(directory);
                return new RunJournal(directory, lock, fingerprint, blocks, Optional.empty());
            }
            List<String> changes = kept.get().fingerprint.changes(fingerprint);
            if (!changes.isEmpty()) {
                throw BadInput.of(BadInput.Common.CONFIG, "the run into %s cannot be resumed, because the result would be another:\n  %s\nput back what changed, or start again "
                        + "with --overwrite", place.output, String.join("\n  ", changes));
            }
            return new RunJournal(directory, lock, fingerprint, blocks, Optional.of(kept.get().boundary));
        } catch (RuntimeException e) {
            lock.close();
            throw e;
        }
    }

    private static RunLock lock(Place place) {
        try {
            Files.createDirectories(place.directory);
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.OUTPUT, place.directory + ": cannot be made: " + e + AtomicFile.advice(place.directory), e);
        }
        return RunLock.take(place.directory.resolve("lock"), place.output);
    }

    /** What journal.json holds. */
    private record Kept(Fingerprint fingerprint, int blocks, Boundary boundary) {

        /** ClassCastException and its kin for what is no journal. */
        static Kept of(Map<String, Object> m) {
            Map<String, String> fields = new LinkedHashMap<>();
            ((Map<?, ?>) m.get("fingerprint")).forEach((k, v) -> fields.put((String) k, (String) v));
            Kept kept = new Kept(new Fingerprint(fields), Math.toIntExact((Long) m.get("blocks")), Boundary.of(m));
            if (kept.boundary.blocksDone() < 0 || kept.boundary.blocksDone() > kept.blocks || !kept.boundary.states().matches("states-\\d{5}\\.safetensors")) {
                throw new IllegalArgumentException("block " + kept.boundary.blocksDone() + " of " + kept.blocks + ", " + kept.boundary.states());
            }
            return kept;
        }
    }

    private static Optional<Kept> read(Path directory) {
        Path file = directory.resolve(JOURNAL);
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        try {
            Map<String, Object> m = Json.object(Files.readString(file));
            if (!Long.valueOf(FORMAT).equals(m.get("format"))) {
                throw BadInput.of(BadInput.Common.OUTPUT, "%s is the journal of another version of the program; finish the run with that, or start again with --overwrite", file);
            }
            return Optional.of(Kept.of(m));
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.OUTPUT, file + " cannot be read: " + e.getMessage() + "; start again with --overwrite", e);
        } catch (ClassCastException | NullPointerException | IndexOutOfBoundsException | IllegalArgumentException | ArithmeticException e) {
            throw new BadInput(BadInput.Common.OUTPUT, file + " is damaged; start again with --overwrite", e);
        }
    }

    /** Where the run goes on; empty: at the beginning. */
    public Optional<Boundary> boundary() {
        return boundary;
    }

    /** A directory on the disk of the output, for temporary files of this run. */
    public Path scratch() {
        return directory;
    }

    public int blocks() {
        return blocks;
    }

    /** Whether a boundary should be saved now. */
    public boolean due(int blocksDone) {
        return blocksDone == blocks || share >= 1 || System.nanoTime() - dueAt >= 0;
    }

    /**
     * Takes down a boundary. Marks of sinks must have been asked for just before: what they tell of is on the disk.
     *
     * @param lists states by name
     */
    public void save(int blocksDone, List<RunSummary.LayerRow> rows, List<String> marks, Map<String, StateStore.States> lists, CarriedStates carried,
            Map<String, Map<String, Matrix>> artifacts) {
        writing.lock();
        try {
            long start = System.nanoTime();
            List<List<String>> keys = new ArrayList<>();
            List<Matrix> matrices = new ArrayList<>();
            artifacts.forEach((file, values) -> values.forEach((key, m) -> {
                keys.add(List.of(file, key));
                matrices.add(m);
            }));
            Map<String, StateStore.States> all = new LinkedHashMap<>(lists);
            all.putAll(carried.numbered());
            String states = String.format("states-%05d.safetensors", blocksDone);
            StatesFile.write(directory.resolve(states), all, matrices);
            write(new Boundary(blocksDone, List.copyOf(rows), marks, List.of(), states, carried.names(), keys));
            deleteStates(states);
            long took = System.nanoTime() - start;
            dueAt = System.nanoTime() + (long) (took * (1 / Math.max(share, 1e-3) - 1));
        } finally {
            writing.unlock();
        }
    }

    /** Takes down that all sinks are prepared and only renames are left. */
    public void prepared(List<String> marks, List<ModelSink.Written> written) {
        writing.lock();
        try {
            Boundary b = boundary.orElseThrow();
            write(new Boundary(b.blocksDone(), b.rows(), marks, written, b.states(), b.carried(), b.artifacts()));
        } finally {
            writing.unlock();
        }
    }

    private void write(Boundary b) {
        Map<String, Object> m = new LinkedHashMap<>();
        m.put("format", FORMAT);
        m.put("blocks", blocks);
        m.put("fingerprint", fingerprint.fields());
        m.putAll(b.asMap());
        AtomicFile.write(directory.resolve(JOURNAL), Json.compact(m).getBytes(StandardCharsets.UTF_8));
        boundary = Optional.of(b);
    }

    private void deleteStates(String kept) {
        try (Stream<Path> all = Files.list(directory)) {
            for (Path p : all.filter(p -> p.getFileName().toString().startsWith("states-") && !p.getFileName().toString().equals(kept)).toList()) {
                Files.delete(p);
            }
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.OUTPUT, directory + ": cannot be written: " + e, e);
        }
    }

    /** Fills lists and matrices from the boundary that the run goes on from. */
    public void restore(Map<String, StateStore.States> lists, CarriedStates carried, Map<String, Map<String, Matrix>> artifacts) {
        Boundary b = boundary.orElseThrow();
        try (SafetensorsFile file = SafetensorsFile.open(directory.resolve(b.states()))) {
            lists.forEach((name, states) -> StatesFile.read(file, name, states));
            for (int i = 0; i < b.carried().size(); i++) {
                StatesFile.read(file, "carried." + i, carried.restore(b.carried().get(i)));
            }
            for (int j = 0; j < b.artifacts().size(); j++) {
                artifacts.computeIfAbsent(b.artifacts().get(j).getFirst(), f -> new LinkedHashMap<>()).put(b.artifacts().get(j).get(1), StatesFile.matrix(file, j));
            }
        }
    }

    /** Waits for a write that goes on, and lets no other one begin: the process is about to end. */
    public void stop() {
        writing.lock();
    }

    /** The run is done: nothing of the journal is left. */
    public void delete() {
        closed = true;
        clear(directory);
        lock.close();
        try {
            Files.deleteIfExists(directory);
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.OUTPUT, directory + ": cannot be removed: " + e, e);
        }
    }

    /** Everything but the lock. */
    private static void clear(Path directory) {
        try (Stream<Path> all = Files.walk(directory)) {
            // the journal first: without it, the rest says nothing
            for (Path p : all.filter(p -> !p.equals(directory) && !p.equals(directory.resolve("lock")))
                    .sorted(Comparator.comparing((Path p) -> !p.endsWith(JOURNAL)).thenComparing(Comparator.reverseOrder())).toList()) {
                Files.deleteIfExists(p);
            }
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.OUTPUT, directory + ": cannot be written: " + e, e);
        }
    }

    /** Gives the lock back; an unfinished run's journal stays, an empty one goes. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        if (boundary.isPresent()) {
            lock.close();
        } else {
            delete();
        }
    }
}
