package io.llmc4j.formats.export.gguf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.pipeline.ModelSink.WrittenFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** Size and SHA-256 of a file on disk. */
final class WrittenFiles {

    private WrittenFiles() {
    }

    static WrittenFile of(Path file) {
        try (FileChannel in = FileChannel.open(file, StandardOpenOption.READ)) {
            MessageDigest sha = MessageDigest.getInstance("SHA-256");
            ByteBuffer buffer = ByteBuffer.allocate(1 << 20);
            while (in.read(buffer) >= 0) {
                sha.update(buffer.flip());
                buffer.clear();
            }
            return new WrittenFile(file.getFileName().toString(), in.size(), HexFormat.of().formatHex(sha.digest()));
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.OUTPUT, "cannot read back " + file + ": " + e.getMessage(), e);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
