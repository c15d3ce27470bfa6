package io.llmc4j.tornado.device;

import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.TornadoVMBackendType;

/** cuBLAS, which TornadoVM's CUDA backend calls as a library task. */
public final class CublasFactory implements LibraryProducts.Factory {

    @Override
    public TornadoVMBackendType backend() {
        return TornadoVMBackendType.CUDA;
    }

    @Override
    public LibraryProducts open(TornadoDevice device) {
        return new CublasProducts(device);
    }
}
