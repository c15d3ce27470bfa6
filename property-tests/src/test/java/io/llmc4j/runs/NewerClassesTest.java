package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.cli.start.NewerClasses;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** A jar of old class files, made new: the same entries, no old class left, and a program that still runs under Java's own checks. */
class NewerClassesTest {

    @Test
    void picocliRunsOnAfterwards(@TempDir Path dir) throws Exception {
        Path original = Path.of(CommandLine.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        Path jar = Files.copy(original, dir.resolve("picocli.jar"));
        NewerClasses.main(new String[] {jar.toString()});
        try (ZipFile before = new ZipFile(original.toFile()); ZipFile after = new ZipFile(jar.toFile())) {
            List<String> names = before.stream().map(ZipEntry::getName).toList();
            assertEquals(names, after.stream().map(ZipEntry::getName).toList());
            for (String name : names.stream().filter(n -> n.endsWith(".class") && !n.startsWith("META-INF")).toList()) {
                try (InputStream in = after.getInputStream(after.getEntry(name))) {
                    assertTrue(ClassFile.of().parse(in.readAllBytes()).majorVersion() >= ClassFile.JAVA_6_VERSION, name);
                }
            }
        }
        try (URLClassLoader loader = new URLClassLoader(new URL[] {jar.toUri().toURL()}, ClassLoader.getPlatformClassLoader())) {
            Class<?> spec = loader.loadClass("picocli.CommandLine$Model$CommandSpec");
            Object line = loader.loadClass("picocli.CommandLine").getConstructor(Object.class).newInstance(spec.getMethod("create").invoke(null));
            assertTrue(line.getClass().getMethod("getUsageMessage").invoke(line).toString().startsWith("Usage:"));
        }
        assertFalse(Files.exists(dir.resolve(".picocli.jar.partial")));
    }
}
