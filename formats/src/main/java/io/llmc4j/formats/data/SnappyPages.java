package io.llmc4j.formats.data;

import dev.hardwood.InputFile;
import dev.hardwood.internal.metadata.PageHeader;
import dev.hardwood.internal.thrift.PageHeaderReader;
import dev.hardwood.internal.thrift.ThriftCompactReader;
import dev.hardwood.metadata.ColumnChunk;
import dev.hardwood.metadata.CompressionCodec;
import dev.hardwood.metadata.FileMetaData;
import dev.hardwood.metadata.RowGroup;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Looks at every Snappy page of a column before it is decompressed. The native decompressor writes as many bytes as the page's first number says,
 * however small the buffer is that the page's header asked for; a damaged page would break the process. So the two must agree.
 */
final class SnappyPages {

    private static final long LONGEST_CHUNK = Integer.MAX_VALUE;

    private SnappyPages() {
    }

    /** Throws IOException for a page whose two lengths differ, or that leaves its chunk. */
    static void check(InputFile file, FileMetaData metadata, int column) throws IOException {
        for (RowGroup group : metadata.rowGroups()) {
            ColumnChunk chunk = group.columns().get(column);
            if (chunk.metaData().codec() == CompressionCodec.SNAPPY) {
                check(file, chunk);
            }
        }
    }

    private static void check(InputFile file, ColumnChunk chunk) throws IOException {
        long start = chunk.chunkStartOffset();
        long length = chunk.metaData().totalCompressedSize();
        if (start < 0 || length < 0 || length > LONGEST_CHUNK) {
            throw new IOException("a column chunk of " + length + " bytes at " + start);
        }
        ByteBuffer bytes = file.readRange(start, (int) length);
        int at = 0;
        while (at < length) {
            ThriftCompactReader header = new ThriftCompactReader(bytes, at);
            PageHeader page = PageHeaderReader.read(header);
            int body = at + header.getBytesRead();
            int end = Math.addExact(body, page.compressedPageSize());
            if (page.compressedPageSize() < 0 || page.uncompressedPageSize() < 0 || end > length) {
                throw new IOException("a page of " + page.compressedPageSize() + " bytes leaves its column chunk");
            }
            check(bytes, page, body, end);
            at = end;
        }
    }

    private static void check(ByteBuffer bytes, PageHeader page, int body, int end) throws IOException {
        int levels = 0;
        if (page.dataPageHeaderV2() != null) {
            if (!page.dataPageHeaderV2().isCompressed()) {
                return;
            }
            levels = Math.addExact(page.dataPageHeaderV2().definitionLevelsByteLength(), page.dataPageHeaderV2().repetitionLevelsByteLength());
        }
        int from = body + levels;
        int expected = page.uncompressedPageSize() - levels;
        if (levels < 0 || from > end || expected < 0) {
            throw new IOException("levels of " + levels + " bytes in a page of " + page.uncompressedPageSize());
        }
        if (from == end) {
            return;
        }
        long stored = decompressedLength(bytes, from, end);
        if (stored != expected) {
            throw new IOException("a Snappy page of " + stored + " bytes, its header says " + expected);
        }
    }

    /** The little-endian base-128 number that a Snappy block begins with. */
    private static long decompressedLength(ByteBuffer bytes, int from, int end) throws IOException {
        long n = 0;
        for (int i = 0; i < 5 && from + i < end; i++) {
            byte b = bytes.get(from + i);
            n |= (long) (b & 0x7f) << (7 * i);
            if (b >= 0) {
                return n;
            }
        }
        throw new IOException("a Snappy page without a length");
    }
}
