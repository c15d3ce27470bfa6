package io.llmc4j.laws;

import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.VectorKernels;
import java.io.IOException;
import java.io.InputStream;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Vector kernels of every forced width in one process. A width is a constant of its classes, so each width gets these classes again from
 * a loader of its own; what tests and kernels share (the interface, threads) comes from the parent.
 */
public final class VectorWidths {

    private static final String PACKAGE = "io.llmc4j.engine.kernel.";
    private static final Set<String> SHARED = Set.of(Kernels.class.getName(), Activation.class.getName(), Parallel.class.getName());
    private static final String PROPERTY = "llmc4j.vector.bits";

    public static final Map<String, Kernels> ALL = load();

    private VectorWidths() {
    }

    private static Map<String, Kernels> load() {
        Map<String, Kernels> all = new LinkedHashMap<>();
        String before = System.getProperty(PROPERTY);
        try {
            for (String bits : new String[] {"128", "256", "512", "preferred"}) {
                System.setProperty(PROPERTY, bits);
                Kernels k = (Kernels) new Loader().loadClass(VectorKernels.class.getName()).getConstructor().newInstance();
                int got = (int) k.getClass().getMethod("vectorBits").invoke(k);
                if (!bits.equals("preferred") && got != Integer.parseInt(bits)) {
                    throw new AssertionError("asked for " + bits + " bits, got " + got);
                }
                all.put(bits, k);
            }
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        } finally {
            if (before == null) {
                System.clearProperty(PROPERTY);
            } else {
                System.setProperty(PROPERTY, before);
            }
        }
        return all;
    }

    private static final class Loader extends ClassLoader {

        Loader() {
            super(VectorWidths.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            String outer = name.contains("$") ? name.substring(0, name.indexOf('$')) : name;
            if (!name.startsWith(PACKAGE) || SHARED.contains(outer)) {
                return super.loadClass(name, resolve);
            }
            synchronized (getClassLoadingLock(name)) {
                Class<?> c = findLoadedClass(name);
                if (c == null) {
                    try (InputStream in = getParent().getResourceAsStream(name.replace('.', '/') + ".class")) {
                        byte[] bytes = in.readAllBytes();
                        c = defineClass(name, bytes, 0, bytes.length);
                    } catch (IOException e) {
                        throw new ClassNotFoundException(name, e);
                    }
                }
                return c;
            }
        }
    }
}
