package io.llmc4j.formats.data;

import dev.hardwood.metadata.PhysicalType;
import dev.hardwood.reader.ParquetFileReader;
import dev.hardwood.reader.RowReader;
import dev.hardwood.schema.ColumnProjection;
import dev.hardwood.schema.ColumnSchema;
import io.llmc4j.engine.BadInput;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A string column of Parquet files, by the Hardwood reader; into memory. */
final class ParquetRows {

    /** The reader tells which decompressors it found; that is nobody's business here. Held, because loggers are collected. */
    private static final java.util.logging.Logger QUIET = java.util.logging.Logger.getLogger("dev.hardwood");

    static {
        QUIET.setLevel(java.util.logging.Level.WARNING);
    }

    private ParquetRows() {
    }

    /** Throws BAD_PARQUET, NO_TEXT_FIELD, NOT_SUPPORTED, TOO_LARGE. */
    static List<String> read(List<Path> files, Optional<String> field) {
        List<String> rows = new ArrayList<>();
        for (Path f : files) {
            BoundedInputFile input = new BoundedInputFile(f);
            try (ParquetFileReader reader = ParquetFileReader.open(input)) {
                add(reader, input, field, f, rows);
            } catch (BadInput e) {
                throw e;
            } catch (IOException | RuntimeException e) {
                throw new BadInput(DataError.BAD_PARQUET, f + ": not a Parquet file that can be read: " + e.getMessage(), e);
            }
        }
        return rows;
    }

    private static void add(ParquetFileReader reader, BoundedInputFile input, Optional<String> field, Path file, List<String> rows) throws IOException {
        List<String> names = new ArrayList<>();
        for (ColumnSchema c : reader.getFileSchema().getColumns()) {
            names.add(c.fieldPath().toString());
        }
        String name = field.or(() -> JsonRows.USUAL_FIELDS.stream().filter(names::contains).findFirst()).filter(names::contains).orElseThrow(() ->
                BadInput.of(DataError.NO_TEXT_FIELD, "%s has the columns %s, no text column '%s'", file, names,
                        field.orElse(String.join("', '", JsonRows.USUAL_FIELDS))));
        ColumnSchema column = reader.getFileSchema().getColumn(names.indexOf(name));
        if (column.type() != PhysicalType.BYTE_ARRAY || column.maxRepetitionLevel() > 0) {
            throw BadInput.of(DataError.NOT_SUPPORTED, "%s: column '%s' is of type %s, expected plain strings", file, name, column.type());
        }
        SnappyPages.check(input, reader.getFileMetaData(), column.columnIndex());
        long limit = Runtime.getRuntime().maxMemory() / 2;
        long chars = 0;
        try (RowReader r = reader.buildRowReader().projection(ColumnProjection.columns(name)).build()) {
            while (r.hasNext()) {
                r.next();
                if (r.isNull(name)) {
                    throw BadInput.of(DataError.BAD_PARQUET, "%s: column '%s' has rows without text (null); remove them", file, name);
                }
                String s = r.getString(name);
                chars += s.length();
                if (chars > limit) {
                    throw BadInput.of(DataError.TOO_LARGE, "%s: more than %d characters of text do not fit in memory; take a part of it, or give the JVM more heap", file, limit);
                }
                rows.add(s);
            }
        }
    }
}
