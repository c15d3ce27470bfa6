package io.llmc4j.engine.kernel;

import io.llmc4j.engine.BadInput;
import java.util.Set;
import java.util.ServiceLoader;
import java.util.TreeSet;

/** Finds the kernels that a run computes with. Holds no vector type itself, so that it loads without the vector module. */
final class KernelLookup {

    private static final String PROPERTY = "llmc4j.kernels";
    private static final String MODULE = "jdk.incubator.vector";
    private static volatile Kernels current;

    private KernelLookup() {
    }

    static Kernels get() {
        Kernels k = current;
        if (k == null) {
            synchronized (KernelLookup.class) {
                if (current == null) {
                    current = named(System.getProperty(PROPERTY, "vector"));
                }
                k = current;
            }
        }
        return k;
    }

    static synchronized void use(Kernels kernels) {
        current = kernels;
    }

    static Kernels named(String name) {
        if (name.equals("scalar")) {
            return new ScalarKernels();
        }
        if (name.equals("vector")) {
            return vector();
        }
        Set<String> known = new TreeSet<>(Set.of("scalar", "vector"));
        for (Kernels k : ServiceLoader.load(Kernels.class)) {
            if (k.name().equals(name)) {
                return k;
            }
            known.add(k.name());
        }
        throw BadInput.of(BadInput.Common.ENVIRONMENT, "unknown kernels '%s' in the property %s; known here: %s", name, PROPERTY, String.join(", ", known));
    }

    private static Kernels vector() {
        if (ModuleLayer.boot().findModule(MODULE).isEmpty()) {
            throw BadInput.of(BadInput.Common.ENVIRONMENT, "the vector kernels need the JDK module %s, which this JVM was started without; "
                    + "add '--add-modules %s' to the java command (the llmc4j launcher does), or choose the slow scalar kernels with -D%s=scalar",
                    MODULE, MODULE, PROPERTY);
        }
        return new VectorKernels();
    }
}
