package io.llmc4j.cli.run;

import io.llmc4j.cli.config.LlmcConfig;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.formats.data.EvaluationText;
import io.llmc4j.formats.data.Preprocessor;
import io.llmc4j.formats.data.PythonRandom;
import io.llmc4j.formats.data.TextRows;
import io.llmc4j.formats.data.TokenIds;
import io.llmc4j.formats.data.Windows;
import io.llmc4j.formats.text.Tokenizer;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;

/** Reads calibration and evaluation data and cuts it into windows of tokens. Keeps what the user should know of it. */
public final class DataLoader {

    private final Supplier<Tokenizer> opener;
    private final int vocabulary;
    private final List<String> said = new ArrayList<>();
    private Optional<Tokenizer> tokenizer = Optional.empty();

    public DataLoader(Path modelDirectory, int vocabulary) {
        this(() -> Tokenizer.open(modelDirectory), vocabulary);
    }

    /** @param opener opens the tokenizer; asked once, and only for text */
    public DataLoader(Supplier<Tokenizer> opener, int vocabulary) {
        this.opener = opener;
        this.vocabulary = vocabulary;
    }

    /** One line for each data set that was read, and one for each thing that was special about it. */
    public List<String> said() {
        return said;
    }

    CalibrationSet calibration(LlmcConfig.Calibration c, int seed) {
        Source source = source(c.path(), true);
        Windows windows;
        if (source.isIds()) {
            windows = TokenIds.read(source.path().orElseThrow(), vocabulary);
        } else {
            Preprocessor preprocessor = Preprocessor.named(c.preprocessor());
            windows = preprocessor.sample(rows(source, field(c.name())), tokenizer(), c.samples(), c.seqLen(), new PythonRandom(seed), source.name());
        }
        windows.notes().forEach(n -> said.add("calibration: " + n));
        said.add(String.format("calibration: %s, %d windows, %d tokens%s", source.name(), windows.rows().size(), windows.tokens(),
                source.path().isEmpty() ? " (none was named, so this is the program's own text)" : ""));
        int length = c.seqLen() > 0 ? c.seqLen() : windows.rows().stream().mapToInt(r -> r.length).max().orElse(1);
        return new CalibrationSet(source.name(), windows.rows().toArray(int[][]::new), c.batch(), length);
    }

    Evaluation evaluation(LlmcConfig.Evaluation e) {
        Set<Position> positions = EnumSet.noneOf(Position.class);
        for (Position p : Position.values()) {
            if (e.positions().contains(p.label())) {
                positions.add(p);
            }
        }
        if (e.type().equals("decode_ppl")) {
            return decoding(e, positions);
        }
        Evaluation.Kind kind = e.type().equals("token_acc") ? Evaluation.Kind.TOKEN_AGREEMENT : Evaluation.Kind.PERPLEXITY;
        return evaluation(e.path(), e.name(), e.seqLen(), kind, positions);
    }

    /** The first rows, each by itself, for tokens fed one by one. */
    private Evaluation decoding(LlmcConfig.Evaluation e, Set<Position> positions) {
        Source source = source(e.path(), false);
        List<int[]> texts = source.isIds() ? TokenIds.read(source.path().orElseThrow(), vocabulary).rows()
                : rows(source, field(e.name())).stream().limit(e.samples()).map(tokenizer()::encode).toList();
        Position first = positions.iterator().next();
        Evaluation evaluation = Evaluation.decoding(source.name() + " sha256:" + source.sha256(), texts, e.samples(), e.maxTokens() == 0 ? Integer.MAX_VALUE : e.maxTokens(),
                first, positions.toArray(Position[]::new));
        said.add(String.format("evaluation: %s, %d texts of %d tokens in all, fed one by one, sha256 %s%s", source.name(), evaluation.windows().length,
                evaluation.tokens(), source.sha256(), source.path().isEmpty() ? " (none was named, so this is the program's own text)" : ""));
        return evaluation;
    }

    /** Windows for perplexity of a model as it is. {@code rows}: how rows become one text, an LLMC data set's name or "plain". */
    public Evaluation evaluation(String path, String rows, int seqLen) {
        return evaluation(path, rows, seqLen, Evaluation.Kind.PERPLEXITY, EnumSet.of(Position.PRETRAIN));
    }

    /** Calibration text, or the program's own, in windows of {@code seqLen} tokens without overlap. */
    public Evaluation calibrationText(String path, int seqLen) {
        return evaluation(source(path, true), "wikitext2", seqLen, Evaluation.Kind.PERPLEXITY, EnumSet.of(Position.PRETRAIN));
    }

    private Evaluation evaluation(String path, String name, int seqLen, Evaluation.Kind kind, Set<Position> positions) {
        return evaluation(source(path, false), name, seqLen, kind, positions);
    }

    private Evaluation evaluation(Source source, String name, int seqLen, Evaluation.Kind kind, Set<Position> positions) {
        Windows windows = source.isIds() ? TokenIds.read(source.path().orElseThrow(), vocabulary)
                : EvaluationText.named(name).windows(rows(source, field(name)), tokenizer(), seqLen, source.name());
        String use = source.calibration() ? "calibration" : "evaluation";
        windows.notes().forEach(n -> said.add(use + ": " + n));
        said.add(String.format("%s: %s, %d windows of %d tokens, sha256 %s%s", use, source.name(), windows.rows().size(), seqLen, source.sha256(),
                source.path().isEmpty() ? " (none was named, so this is the program's own text)" : ""));
        return new Evaluation(source.name() + " sha256:" + source.sha256(), kind, windows.rows().toArray(int[][]::new), positions);
    }

    private Tokenizer tokenizer() {
        if (tokenizer.isEmpty()) {
            tokenizer = Optional.of(opener.get());
        }
        return tokenizer.get();
    }

    private static Optional<String> field(String dataSet) {
        return switch (dataSet) {
            case "ptb" -> Optional.of("sentence");
            case "pileval", "c4", "wikitext2" -> Optional.of("text");
            default -> Optional.empty();
        };
    }

    /** @param path empty: the program's own text */
    private record Source(String name, Optional<Path> path, byte[] own, boolean isIds, String sha256, boolean calibration) { }

    private Source source(String path, boolean calibration) {
        if (path.equals(Texts.BUNDLED)) {
            byte[] text = calibration ? Texts.calibration() : Texts.evaluation();
            return new Source(calibration ? "calibration.txt" : "evaluation.txt", Optional.empty(), text, false, sha256(text), calibration);
        }
        Path p = Path.of(path);
        if (!Files.exists(p)) {
            throw BadInput.of(BadInput.Common.DATA, "%s: there is no such file or folder", p);
        }
        return new Source(path, Optional.of(p), new byte[0], Files.isRegularFile(p) && TokenIds.isTokenIds(p), sha256(p), calibration);
    }

    private static List<String> rows(Source source, Optional<String> field) {
        if (source.path().isEmpty()) {
            return List.of(Texts.text(source.own()).split("\n\n", -1));
        }
        Path p = source.path().get();
        boolean named = Files.isDirectory(p);
        return TextRows.read(p, new TextRows.Choice(named ? field : Optional.empty(), Optional.empty())).rows();
    }

    private static String sha256(byte[] bytes) {
        return HexFormat.of().formatHex(digest().digest(bytes)).substring(0, 16);
    }

    /** Of a file's bytes; of a folder's files, with their names in order. */
    private static String sha256(Path path) {
        MessageDigest digest = digest();
        TreeMap<String, Path> files = new TreeMap<>();
        try {
            if (Files.isDirectory(path)) {
                try (var all = Files.walk(path)) {
                    all.filter(Files::isRegularFile).forEach(f -> files.put(path.relativize(f).toString(), f));
                }
            } else {
                files.put("", path);
            }
            byte[] buffer = new byte[1 << 16];
            for (var f : files.entrySet()) {
                digest.update(f.getKey().getBytes(java.nio.charset.StandardCharsets.UTF_8));
                try (InputStream in = Files.newInputStream(f.getValue())) {
                    for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                        digest.update(buffer, 0, n);
                    }
                }
            }
        } catch (IOException e) {
            throw BadInput.of(BadInput.Common.DATA, "%s cannot be read: %s", path, e.getMessage());
        }
        return HexFormat.of().formatHex(digest.digest()).substring(0, 16);
    }

    private static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
