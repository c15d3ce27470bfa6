package io.llmc4j.formats.data;

import com.github.luben.zstd.ZstdInputStream;
import io.llmc4j.engine.BadInput;
import java.io.BufferedInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;

/** Opens data files, unpacking {@code .gz} and {@code .zst}, and stops a file that unpacks to more than memory can hold. */
final class DataFiles {

    private DataFiles() {
    }

    /** The name without the compression's suffix, in lower case. */
    static String plainName(Path file) {
        String n = file.getFileName().toString().toLowerCase(java.util.Locale.ROOT);
        return n.endsWith(".gz") ? n.substring(0, n.length() - 3) : n.endsWith(".zst") ? n.substring(0, n.length() - 4) : n;
    }

    /** Throws UNREADABLE; reading on throws TOO_LARGE past half of the heap. */
    static InputStream open(Path file) {
        String n = file.getFileName().toString().toLowerCase(java.util.Locale.ROOT);
        InputStream raw = null;
        try {
            raw = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
            InputStream in = n.endsWith(".gz") ? new GZIPInputStream(raw, 1 << 16) : n.endsWith(".zst") ? new ZstdInputStream(raw) : raw;
            return new Limited(in, Runtime.getRuntime().maxMemory() / 2, file);
        } catch (IOException e) {
            closeQuietly(raw);
            throw unreadable(file, e);
        }
    }

    static BadInput unreadable(Path file, Exception e) {
        return new BadInput(DataError.UNREADABLE, file + ": cannot be read: " + (e.getMessage() == null ? e.toString() : e.getMessage()), e);
    }

    private static void closeQuietly(InputStream in) {
        if (in != null) {
            try {
                in.close();
            } catch (IOException e) {
                // the first error is the one to report
            }
        }
    }

    private static final class Limited extends FilterInputStream {
        private final long limit;
        private final Path file;
        private long read;

        Limited(InputStream in, long limit, Path file) {
            super(in);
            this.limit = limit;
            this.file = file;
        }

        @Override
        public int read() throws IOException {
            int b = super.read();
            count(b < 0 ? 0 : 1);
            return b;
        }

        @Override
        public int read(byte[] b, int off, int len) throws IOException {
            int n = super.read(b, off, len);
            count(Math.max(n, 0));
            return n;
        }

        private void count(int n) {
            read += n;
            if (read > limit) {
                throw BadInput.of(DataError.TOO_LARGE, "%s: more than %d bytes of text do not fit in memory; take a part of it, or give the JVM more heap", file, limit);
            }
        }
    }
}
