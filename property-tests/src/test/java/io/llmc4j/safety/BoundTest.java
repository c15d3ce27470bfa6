package io.llmc4j.safety;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.cli.Main;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** What the command line does with bounds, with runs that did not finish, and with stops. */
class BoundTest {

    @TempDir
    Path dir;

    private record Ran(int code, String out, String err) { }

    private static Ran run(Object... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> texts = new ArrayList<>();
        for (Object a : args) {
            texts.add(a.toString());
        }
        return new Ran(Main.run(new PrintWriter(out, true), new PrintWriter(err, true), texts.toArray(String[]::new)), out.toString(), err.toString());
    }

    @Test
    void aBoundIsKeptOrRefusedWithOneThatWouldDo() throws Exception {
        Path model = DeepModel.make(dir, 2);
        Ran free = run("quantize", model, "-m", "rtn", "-g", "64", "--no-eval", "-o", dir.resolve("o"), "--dry-run", "--json");
        assertEquals(0, free.code(), free.err());
        assertTrue(new ObjectMapper().readTree(free.out()).get("memoryBytes").asLong() > 0);
        Ran tight = run("quantize", model, "-m", "rtn", "-g", "64", "--no-eval", "-o", dir.resolve("o"), "--dry-run", "--memory", "100m");
        assertEquals(2, tight.code());
        String bound = tight.err().replaceAll("(?s).*--memory (\\d+m) would do.*", "$1");
        assertTrue(bound.matches("\\d+m"), tight.err());
        Ran enough = run("quantize", model, "-m", "rtn", "-g", "64", "--no-eval", "-o", dir.resolve("o"), "--dry-run", "--json", "--memory", bound);
        assertEquals(0, enough.code(), enough.err());
        assertTrue(new ObjectMapper().readTree(enough.out()).get("memoryBytes").asLong() <= Long.parseLong(bound.replace("m", "")) << 20);
        assertTrue(run("quantize", model, "-m", "rtn", "-o", dir.resolve("o"), "--memory", "much").err().contains("a size like 6g"));
    }

    @Test
    void aRunThatDidNotFinish() throws Exception {
        Path model = DeepModel.make(dir, 2);
        Path out = dir.resolve("o");
        List<Object> command = List.of("quantize", model, "-m", "rtn", "-g", "64", "--no-eval", "-o", out);
        Path file = model.resolve("tokenizer_config.json");
        String text = Files.readString(file);
        Ran whole = run(command.toArray());
        assertEquals(0, whole.code(), whole.err());
        Map<String, String> expected = KilledRun.files(out);
        Ran again = run(with(command, "--resume"));
        assertEquals(2, again.code());
        assertTrue(again.err().contains("is not empty"), again.err());
        Files.move(out, dir.resolve("first"));
        Ran fresh = run(with(command, "--resume"));
        assertEquals(0, fresh.code(), fresh.err());
        assertTrue(fresh.err().contains("there is no unfinished run"), fresh.err());
        Map<String, String> got = KilledRun.files(out);
        // a report tells its own times
        expected.remove("report.json");
        got.remove("report.json");
        assertEquals(expected, got);
        assertEquals(text, Files.readString(file));
        assertTrue(Files.notExists(dir.resolve(".o.journal")));
    }

    /** SIGTERM and Ctrl-C's SIGINT to a process of its own: code 1, a sentence, and the bytes of a run that nobody touched. */
    @DisabledOnOs(OS.WINDOWS)
    @Test
    void aStopIsNoLoss() throws Exception {
        Path model = DeepModel.make(dir, 4);
        Map<String, String> expected = Map.of();
        for (String signal : List.of("none", "TERM", "INT")) {
            Path out = dir.resolve(signal);
            Path errors = dir.resolve(signal + ".txt");
            List<Object> command = List.of("quantize", model, "-m", "gptq", "-b", "4", "-g", "64", "--samples", "2", "--seq-len", "16", "--no-eval", "-o", out);
            Process p = CommandProcess.start(KillTest.classPath(), errors, command);
            if (signal.equals("none")) {
                assertEquals(0, p.waitFor(), Files.readString(errors));
                expected = KilledRun.files(out);
                expected.remove("report.json");
                continue;
            }
            CommandProcess.await(p, dir.resolve("." + signal + ".journal/journal.json"), errors);
            assertEquals(1, CommandProcess.stop(p, signal), Files.readString(errors));
            Matcher told = Pattern.compile("stopped: ([1-4]) of 4 blocks are kept; the same command with --resume goes on from there\\s*$").matcher(Files.readString(errors));
            assertTrue(told.find(), Files.readString(errors));
            assertTrue(Files.notExists(out));
            Process rest = CommandProcess.start(KillTest.classPath(), errors, List.of(with(command, "--resume")));
            assertEquals(0, rest.waitFor(), Files.readString(errors));
            assertTrue(Files.readString(errors).contains("going on behind block " + told.group(1) + " of 4"), Files.readString(errors));
            Map<String, String> got = KilledRun.files(out);
            got.remove("report.json");
            assertEquals(expected, got, signal);
        }
    }

    /** A real second process: locks within one process are another thing than those between two. */
    @Test
    void aSecondRunIsRefusedWhileTheFirstGoesOn() throws Exception {
        Path model = DeepModel.make(dir, 6);
        Path out = dir.resolve("o");
        List<Object> command = List.of("quantize", model, "-m", "gptq", "-b", "4", "-g", "64", "--samples", "64", "--seq-len", "48", "--no-eval", "-o", out);
        Process p = CommandProcess.start(KillTest.classPath(), dir.resolve("errors.txt"), command);
        Path lock = dir.resolve(".o.journal/lock");
        while (p.isAlive() && !(Files.exists(lock) && Files.size(lock) < 20 && Files.readString(lock).equals("" + p.pid()))) {
            Thread.sleep(1);
        }
        for (String more : List.of("--resume", "--overwrite")) {
            Ran second = run(with(command, more));
            assertTrue(p.isAlive(), "the first run was over too soon for this test to say anything");
            assertEquals(2, second.code(), second.err());
            assertTrue(second.err().contains("another run (process " + p.pid() + ") writes " + out), second.err());
        }
        p.destroy();
        assertEquals(1, p.waitFor());
        Files.deleteIfExists(lock);
    }

    private static Object[] with(List<Object> command, Object... more) {
        List<Object> all = new ArrayList<>(command);
        all.addAll(List.of(more));
        return all.toArray();
    }
}
