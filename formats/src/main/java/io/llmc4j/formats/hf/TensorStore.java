package io.llmc4j.formats.hf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.Checkpoint;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/** Named tensors, whatever files they lie in. */
public interface TensorStore extends AutoCloseable {

    List<String> names();

    Optional<Tensor> find(String name);

    default boolean contains(String name) {
        return find(name).isPresent();
    }

    /** Throws BadInput (MODEL) when it is not there. */
    default Tensor get(String name) {
        return find(name).orElseThrow(() -> BadInput.of(BadInput.Common.MODEL, "the checkpoint has no tensor %s", name));
    }

    /** Throws BadInput (CHANGED) when a file is not what it was when it was opened. */
    default void checkUnchanged() {
    }

    /** Lets go of pages of mapped files. */
    default void release() {
    }

    @Override
    void close();

    static TensorStore of(Checkpoint checkpoint) {
        return new TensorStore() {
            @Override
            public List<String> names() {
                return checkpoint.names();
            }

            @Override
            public Optional<Tensor> find(String name) {
                return checkpoint.find(name);
            }

            @Override
            public void checkUnchanged() {
                checkpoint.checkUnchanged();
            }

            @Override
            public void release() {
                checkpoint.release();
            }

            @Override
            public void close() {
                checkpoint.close();
            }
        };
    }

    static TensorStore of(SafetensorsFile file) {
        return new TensorStore() {
            @Override
            public List<String> names() {
                return file.names();
            }

            @Override
            public Optional<Tensor> find(String name) {
                return file.find(name);
            }

            @Override
            public void checkUnchanged() {
                file.checkUnchanged();
            }

            @Override
            public void release() {
                file.release();
            }

            @Override
            public void close() {
                file.close();
            }
        };
    }
}
