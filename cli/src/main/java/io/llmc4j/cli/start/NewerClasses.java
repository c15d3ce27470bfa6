package io.llmc4j.cli.start;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassFileVersion;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeModel;
import java.lang.classfile.CodeTransform;
import java.lang.constant.ClassDesc;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/**
 * Gives the classes of a jar that are older than Java 6 the stack maps of Java 8, and leaves everything else as it is. Java checks such old classes by
 * inference at every start and keeps them out of its cache; picocli is compiled for Java 5, and was two thirds of the time to print a help text.
 */
public final class NewerClasses {

    /** The first version whose stack maps are taken at their word. */
    private static final int WITH_STACK_MAPS = ClassFile.JAVA_6_VERSION;

    private NewerClasses() {
    }

    /** @param jars each replaced by one that means the same, in one step */
    public static void main(String[] jars) throws IOException {
        for (String jar : jars) {
            renew(Path.of(jar));
        }
    }

    static void renew(Path jar) throws IOException {
        Path partial = jar.resolveSibling("." + jar.getFileName() + ".partial");
        try {
            try (ZipFile in = new ZipFile(jar.toFile()); OutputStream file = Files.newOutputStream(partial); ZipOutputStream out = new ZipOutputStream(file)) {
                ClassFile classes = ClassFile.of(ClassFile.StackMapsOption.GENERATE_STACK_MAPS,
                        ClassFile.ClassHierarchyResolverOption.of(ClassHierarchyResolver.ofResourceParsing(c -> open(in, c)).orElse(ClassHierarchyResolver.defaultResolver())));
                for (ZipEntry e : in.stream().map(ZipEntry.class::cast).toList()) {
                    byte[] bytes = in.getInputStream(e).readAllBytes();
                    ZipEntry copy = new ZipEntry(e.getName());
                    copy.setTime(e.getTime());
                    out.putNextEntry(copy);
                    out.write(e.getName().endsWith(".class") ? renewed(classes, bytes) : bytes);
                    out.closeEntry();
                }
            }
            Files.move(partial, jar, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(partial);
        }
    }

    private static InputStream open(ZipFile jar, ClassDesc c) {
        ZipEntry e = jar.getEntry((c.packageName().isEmpty() ? "" : c.packageName().replace('.', '/') + "/") + c.displayName() + ".class");
        try {
            return e == null ? null : jar.getInputStream(e);
        } catch (IOException x) {
            throw new UncheckedIOException(x);
        }
    }

    private static byte[] renewed(ClassFile classes, byte[] bytes) {
        ClassModel old = classes.parse(bytes);
        if (old.majorVersion() >= WITH_STACK_MAPS) {
            return bytes;
        }
        ClassTransform code = ClassTransform.transformingMethods((method, element) -> {
            if (element instanceof CodeModel body) {
                method.transformCode(body, CodeTransform.ACCEPT_ALL);
            } else {
                method.with(element);
            }
        });
        ClassTransform version = ClassTransform.dropping(ClassFileVersion.class::isInstance).andThen(ClassTransform.endHandler(c -> c.withVersion(ClassFile.JAVA_8_VERSION, 0)));
        byte[] renewed = classes.transformClass(old, code.andThen(version));
        List<VerifyError> wrong = classes.verify(renewed);
        if (!wrong.isEmpty()) {
            throw new IllegalStateException(old.thisClass().asInternalName() + ": " + wrong.getFirst().getMessage());
        }
        return renewed;
    }
}
