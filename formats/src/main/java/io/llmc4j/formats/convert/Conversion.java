package io.llmc4j.formats.convert;

import io.llmc4j.engine.pipeline.ModelSink;
import java.util.List;

/**
 * What a conversion did.
 *
 * @param changes     modules whose weights are not exactly those of the input; empty when nothing was rounded
 * @param differences what the read-back of the output found; empty when it agrees
 */
public record Conversion(ModelSink.Written written, List<Change> changes, List<String> differences) {

    /**
     * @param what     why, one clause
     * @param largest  largest difference of a weight
     * @param relative ||after - before|| / ||before||
     */
    public record Change(String module, String what, double largest, double relative) { }
}
