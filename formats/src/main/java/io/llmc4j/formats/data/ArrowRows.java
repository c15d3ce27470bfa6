package io.llmc4j.formats.data;

import io.llmc4j.engine.BadInput;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.RandomAccess;
import org.apache.arrow.flatbuf.Field;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.flatbuf.RecordBatch;
import org.apache.arrow.flatbuf.Schema;

/**
 * A string column of Arrow IPC streams (and of Arrow files, which hold a stream), mapped: a row is decoded when it is asked for. Only the layout is
 * read here, by the format's own flatbuffers classes; the Arrow library proper would bring its memory manager and JVM flags for one column of text.
 * Source: the Apache Arrow columnar format, version 1.5.
 */
final class ArrowRows extends AbstractList<String> implements RandomAccess {

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int MAX_METADATA = 64 << 20;

    /** The rows of one record batch: {@code offsets} has rows + 1 numbers into {@code data}. */
    private record Batch(int first, int rows, boolean longOffsets, MemorySegment offsets, MemorySegment data, Path file) {
    }

    private final List<Batch> batches = new ArrayList<>();
    private int rows;

    private ArrowRows() {
    }

    /** Throws BAD_ARROW, NO_TEXT_FIELD, NOT_SUPPORTED, UNREADABLE. */
    static List<String> read(List<Path> files, Optional<String> field) {
        ArrowRows all = new ArrowRows();
        for (Path f : files) {
            try {
                all.add(f, field);
            } catch (IndexOutOfBoundsException | ArithmeticException | IllegalArgumentException | NegativeArraySizeException e) {
                throw new BadInput(DataError.BAD_ARROW, f + ": not a sound Arrow stream: " + e.getMessage(), e);
            } catch (AssertionError e) {
                throw new BadInput(DataError.BAD_ARROW, f + ": not a sound Arrow stream", e);
            }
        }
        return all;
    }

    private void add(Path file, Optional<String> wanted) {
        MemorySegment all = map(file);
        long at = all.byteSize() >= 8 && all.get(LONG, 0) == 0x31574f525241L ? 8 : 0;
        ArrowColumn column = null;
        while (at + 8 <= all.byteSize()) {
            int length = all.get(INT, at);
            at += 4;
            if (length == -1) {
                length = all.get(INT, at);
                at += 4;
            }
            if (length == 0) {
                break;
            }
            if (length < 0 || length > MAX_METADATA || length > all.byteSize() - at) {
                throw BadInput.of(DataError.BAD_ARROW, "%s: a message of %d bytes at byte %d; the file is no Arrow stream or is truncated", file, length, at);
            }
            Message m = Message.getRootAsMessage(ByteBuffer.wrap(all.asSlice(at, length).toArray(ValueLayout.JAVA_BYTE)).order(ByteOrder.LITTLE_ENDIAN));
            at += length;
            if (m.bodyLength() < 0 || m.bodyLength() > all.byteSize() - at) {
                throw BadInput.of(DataError.BAD_ARROW, "%s: a body of %d bytes at byte %d; the file is truncated", file, m.bodyLength(), at);
            }
            MemorySegment body = all.asSlice(at, m.bodyLength());
            at += m.bodyLength();
            if (m.headerType() == MessageHeader.Schema) {
                column = ArrowColumn.choose(header(m, new Schema(), file), wanted, file);
            } else if (m.headerType() == MessageHeader.RecordBatch) {
                if (column == null) {
                    throw BadInput.of(DataError.BAD_ARROW, "%s: a record batch before the schema", file);
                }
                addBatch(header(m, new RecordBatch(), file), column, body, file);
            }
        }
        if (column == null) {
            throw BadInput.of(DataError.BAD_ARROW, "%s: no schema; is this an Arrow stream?", file);
        }
    }

    @SuppressWarnings("unchecked")
    private static <T extends com.google.flatbuffers.Table> T header(Message m, T into, Path file) {
        com.google.flatbuffers.Table t = m.header(into);
        if (t == null) {
            throw BadInput.of(DataError.BAD_ARROW, "%s: a message without header", file);
        }
        return (T) t;
    }

    private void addBatch(RecordBatch b, ArrowColumn column, MemorySegment body, Path file) {
        if (b.compression() != null) {
            throw BadInput.of(DataError.NOT_SUPPORTED, "%s: compressed Arrow buffers are not read here; save the data set without compression", file);
        }
        long n = b.length();
        if (n < 0 || rows + n > Integer.MAX_VALUE || column.node() >= b.nodesLength() || column.buffer() + 2 >= b.buffersLength()) {
            throw BadInput.of(DataError.BAD_ARROW, "%s: a record batch that does not fit the schema", file);
        }
        if (b.nodes(column.node()).length() != n) {
            throw BadInput.of(DataError.BAD_ARROW, "%s: column '%s' has %d rows in a batch of %d", file, column.name(), b.nodes(column.node()).length(), n);
        }
        if (b.nodes(column.node()).nullCount() != 0) {
            throw BadInput.of(DataError.BAD_ARROW, "%s: column '%s' has rows without text (null); remove them", file, column.name());
        }
        if (n == 0) {
            return;
        }
        MemorySegment offsets = body.asSlice(b.buffers(column.buffer() + 1).offset(), b.buffers(column.buffer() + 1).length());
        MemorySegment data = body.asSlice(b.buffers(column.buffer() + 2).offset(), b.buffers(column.buffer() + 2).length());
        if (offsets.byteSize() < (n + 1) * (column.longOffsets() ? 8 : 4)) {
            throw BadInput.of(DataError.BAD_ARROW, "%s: column '%s' has too few offsets for %d rows", file, column.name(), n);
        }
        batches.add(new Batch(rows, (int) n, column.longOffsets(), offsets, data, file));
        rows += (int) n;
    }

    /** Unmapped when nobody holds the rows any more. */
    private static MemorySegment map(Path file) {
        try (FileChannel c = FileChannel.open(file, StandardOpenOption.READ)) {
            return c.map(FileChannel.MapMode.READ_ONLY, 0, c.size(), Arena.ofAuto());
        } catch (IOException e) {
            throw DataFiles.unreadable(file, e);
        }
    }

    @Override
    public int size() {
        return rows;
    }

    @Override
    public String get(int row) {
        java.util.Objects.checkIndex(row, rows);
        int low = 0;
        int high = batches.size() - 1;
        while (low < high) {
            int mid = (low + high + 1) >>> 1;
            if (batches.get(mid).first() <= row) {
                low = mid;
            } else {
                high = mid - 1;
            }
        }
        Batch b = batches.get(low);
        int i = row - b.first();
        long from = b.longOffsets() ? b.offsets().get(LONG, 8L * i) : b.offsets().get(INT, 4L * i);
        long to = b.longOffsets() ? b.offsets().get(LONG, 8L * i + 8) : b.offsets().get(INT, 4L * i + 4);
        if (from < 0 || to < from || to > b.data().byteSize() || to - from > Integer.MAX_VALUE - 8) {
            throw BadInput.of(DataError.BAD_ARROW, "%s: row %d lies at bytes %d to %d of %d", b.file(), row + 1, from, to, b.data().byteSize());
        }
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(b.data().asSlice(from, to - from).toArray(ValueLayout.JAVA_BYTE))).toString();
        } catch (CharacterCodingException e) {
            throw new BadInput(DataError.NOT_UTF8, b.file() + ": row " + (row + 1) + " is not UTF-8", e);
        }
    }

    /** Which node and which first buffer of a record batch belong to the text column. */
    private record ArrowColumn(String name, int node, int buffer, boolean longOffsets) {

        static ArrowColumn choose(Schema schema, Optional<String> wanted, Path file) {
            if (schema.endianness() != org.apache.arrow.flatbuf.Endianness.Little) {
                throw BadInput.of(DataError.NOT_SUPPORTED, "%s: a big-endian Arrow stream", file);
            }
            List<String> names = new ArrayList<>();
            for (int i = 0; i < Math.min(schema.fieldsLength(), 10_000); i++) {
                names.add(String.valueOf(schema.fields(i).name()));
            }
            String name = wanted.or(() -> JsonRows.USUAL_FIELDS.stream().filter(names::contains).findFirst()).filter(names::contains).orElseThrow(() ->
                    BadInput.of(DataError.NO_TEXT_FIELD, "%s has the columns %s, no text column '%s'", file, names,
                            wanted.orElse(String.join("', '", JsonRows.USUAL_FIELDS))));
            int[] counts = new int[2];
            for (int i = 0; i < names.indexOf(name); i++) {
                count(schema.fields(i), counts, file, 0);
            }
            Field f = schema.fields(names.indexOf(name));
            boolean utf8 = f.typeType() == org.apache.arrow.flatbuf.Type.Utf8 || f.typeType() == org.apache.arrow.flatbuf.Type.LargeUtf8;
            if (!utf8 || f.dictionary() != null) {
                throw BadInput.of(DataError.NOT_SUPPORTED, "%s: column '%s' is of type %s%s, expected plain strings", file, name,
                        f.typeType() < org.apache.arrow.flatbuf.Type.names.length ? org.apache.arrow.flatbuf.Type.name(f.typeType()) : f.typeType(),
                        f.dictionary() == null ? "" : " by dictionary");
            }
            return new ArrowColumn(name, counts[0], counts[1], f.typeType() == org.apache.arrow.flatbuf.Type.LargeUtf8);
        }

        /** Adds the nodes and buffers of a column, its children included, as the format lays them out. */
        private static void count(Field f, int[] counts, Path file, int depth) {
            if (depth > 32 || counts[0] > 100_000) {
                throw BadInput.of(DataError.BAD_ARROW, "%s: a schema nested too deep or too wide", file);
            }
            counts[0]++;
            if (f.dictionary() != null) {
                counts[1] += 2;
                return;
            }
            counts[1] += switch (f.typeType()) {
                case org.apache.arrow.flatbuf.Type.Null, org.apache.arrow.flatbuf.Type.RunEndEncoded -> 0;
                case org.apache.arrow.flatbuf.Type.Struct_, org.apache.arrow.flatbuf.Type.FixedSizeList -> 1;
                case org.apache.arrow.flatbuf.Type.Utf8, org.apache.arrow.flatbuf.Type.LargeUtf8,
                     org.apache.arrow.flatbuf.Type.Binary, org.apache.arrow.flatbuf.Type.LargeBinary,
                     org.apache.arrow.flatbuf.Type.ListView, org.apache.arrow.flatbuf.Type.LargeListView -> 3;
                case org.apache.arrow.flatbuf.Type.Utf8View, org.apache.arrow.flatbuf.Type.BinaryView, org.apache.arrow.flatbuf.Type.Union ->
                        throw BadInput.of(DataError.NOT_SUPPORTED, "%s: column '%s' is of type %s, which is not read here; remove the column",
                                file, f.name(), org.apache.arrow.flatbuf.Type.name(f.typeType()));
                default -> 2;
            };
            for (int i = 0; i < f.childrenLength(); i++) {
                count(f.children(i), counts, file, depth + 1);
            }
        }
    }
}
