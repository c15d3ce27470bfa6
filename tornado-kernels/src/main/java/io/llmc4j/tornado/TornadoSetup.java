package io.llmc4j.tornado;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What this process has of TornadoVM, and one sentence for each way in which it can be missing.
 *
 * @param home           TORNADOVM_HOME
 * @param argumentFile   the SDK's argument file was given to this Java
 * @param javaFeature    25
 * @param compactHeaders -XX:+UseCompactObjectHeaders, under which TornadoVM finds the elements of arrays in the wrong place
 * @param bindings       the kernels were built into this llmc4j
 */
record TornadoSetup(Optional<String> home, boolean argumentFile, int javaFeature, boolean compactHeaders, boolean bindings) {

    private static final Pattern API = Pattern.compile("tornado-api-.*?(?:-jdk([0-9]+))?\\.jar");
    private static final String INSTALL = "install TornadoVM's SDK for JDK 25 (README, \"On a GPU\") and set TORNADOVM_HOME to its directory";

    /** Whether this Java was started with the SDK's argument file: the file sets this property, and nothing else does. */
    static final String STARTED_WITH = "tornado.load.runtime.implementation";

    static TornadoSetup ofThisProcess(boolean bindings) {
        return new TornadoSetup(Optional.ofNullable(System.getenv("TORNADOVM_HOME")).filter(h -> !h.isBlank()), System.getProperty(STARTED_WITH) != null,
                Runtime.version().feature(), compactHeadersOn(), bindings);
    }

    private static boolean compactHeadersOn() {
        return java.lang.management.ManagementFactory.getRuntimeMXBean().getInputArguments().contains("-XX:+UseCompactObjectHeaders");
    }

    /** Why TornadoVM cannot be touched; empty when it can. */
    Optional<String> missing() {
        if (home.isEmpty() && !argumentFile) {
            return Optional.of("TornadoVM is not installed, or TORNADOVM_HOME is not set: " + INSTALL);
        }
        if (home.isPresent()) {
            Optional<String> wrong = wrongHome(Path.of(home.get()));
            if (wrong.isPresent()) {
                return wrong;
            }
        }
        if (!argumentFile) {
            return Optional.of("this Java was started without the SDK's argument file: start through the llmc4j launcher with --device, or add @" + home.get()
                    + "/tornado-argfile to the java command");
        }
        if (compactHeaders) {
            return Optional.of("this Java runs with compact object headers, under which TornadoVM finds array elements in the wrong place: remove "
                    + "-XX:+UseCompactObjectHeaders");
        }
        if (!bindings) {
            return Optional.of("this llmc4j was built without TornadoVM: build it again where TORNADOVM_HOME is set (mvn -DskipTests package; the launcher does it by itself)");
        }
        return Optional.empty();
    }

    private Optional<String> wrongHome(Path directory) {
        Path jars = directory.resolve("share/java/tornado");
        List<String> apis;
        try (Stream<Path> files = Files.list(jars)) {
            apis = files.map(f -> f.getFileName().toString()).filter(f -> API.matcher(f).matches()).sorted().toList();
        } catch (IOException | SecurityException e) {
            apis = List.of();
        }
        if (apis.isEmpty()) {
            return Optional.of("TORNADOVM_HOME is " + directory + ", which holds no share/java/tornado/tornado-api-*.jar: set it to the SDK's own directory, "
                    + "the one with bin, lib and share in it");
        }
        Matcher api = API.matcher(apis.getLast());
        if (api.matches() && api.group(1) != null && Integer.parseInt(api.group(1)) != javaFeature) {
            return Optional.of("the TornadoVM SDK at " + directory + " is for JDK " + api.group(1) + ", and this is Java " + javaFeature + ": install the SDK for JDK "
                    + javaFeature);
        }
        return Optional.empty();
    }

    /** TornadoVM was touched and did not come up. */
    static String failed(Throwable e) {
        Throwable root = e;
        String all = "";
        for (Throwable t = e; t != null; t = t.getCause() == t ? null : t.getCause()) {
            root = t;
            all += " " + t;
        }
        String message = root.getMessage() == null ? "" : root.getMessage().replaceAll("\\x1b\\[[0-9;]*m", "").strip();
        String cause = message.isEmpty() ? root.getClass().getSimpleName() : root.getClass().getSimpleName() + ": " + message;
        if (all.matches("(?s).*No (OpenCL|SPIRV|PTX|CUDA|Metal|Level Zero).*(platform|device).*")) {
            return noDevice();
        }
        if (all.contains("UnsatisfiedLinkError") || all.contains("JNI Library not found")) {
            return "a native library of TornadoVM cannot be loaded (" + cause + "): the SDK's lib directory has to be whole and for this system, and the driver's own "
                    + "library (libOpenCL, libcuda, libze_loader) installed";
        }
        if (all.contains("ClassNotFoundException") || all.contains("NoClassDefFoundError") && !all.contains("Could not initialize")) {
            return "TornadoVM's API is here without its runtime (" + cause + "): set TORNADOVM_HOME to a whole SDK";
        }
        return "TornadoVM did not start (" + cause + "): run " + "$TORNADOVM_HOME/bin/tornado --devices to see what it says by itself";
    }

    /** The runtime is there and knows no device. */
    static String noDevice() {
        return "TornadoVM runs, but none of its backends finds a device: install the driver (NVIDIA's brings CUDA and OpenCL, Intel's is intel-opencl-icd, AMD's is part of "
                + "ROCm; PoCL makes a device of the CPU), and see what clinfo lists";
    }
}
