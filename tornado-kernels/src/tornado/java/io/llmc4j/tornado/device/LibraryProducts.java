package io.llmc4j.tornado.device;

import io.llmc4j.tornado.DeviceFailure;
import io.llmc4j.tornado.Form;
import io.llmc4j.tornado.Panel;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.TornadoVMBackendType;

/** Products by a vendor's library. Its sums go in an order of its own, so only fast mathematics may use it. */
interface LibraryProducts extends AutoCloseable {

    /** For one backend; found by ServiceLoader, built only where the SDK is. */
    interface Factory {

        TornadoVMBackendType backend();

        LibraryProducts open(TornadoDevice device);
    }

    /** The library of this device's backend, if it is built in and its classes are there. */
    static Optional<LibraryProducts> of(TornadoDevice device) {
        try {
            for (Factory f : ServiceLoader.load(Factory.class, LibraryProducts.class.getClassLoader())) {
                if (f.backend() == device.getTornadoVMBackend()) {
                    return Optional.of(f.open(device));
                }
            }
        } catch (ServiceConfigurationError | LinkageError e) {
            return Optional.empty();
        }
        return Optional.empty();
    }

    String name();

    /** C = the product. */
    void product(Form form, Panel a, Panel b, Panel c) throws DeviceFailure;

    @Override
    void close();
}
