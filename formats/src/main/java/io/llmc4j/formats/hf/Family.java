package io.llmc4j.formats.hf;

import java.util.List;

/** A model family: config.json to an architecture, tensor names to roles. One file a family; {@link Families} is the only list. */
public interface Family {

    /** "qwen3" */
    String name();

    /** Names in config.json's "architectures" that mean this family. */
    List<String> architectures();

    /** What sets it apart, for the table of families: a few words. */
    String quirks();

    /** Methods that refuse it, by name, and in brackets why; empty where all apply. */
    default String without() {
        return "";
    }

    /** Asks for every field that it understands; the caller refuses the others. Throws BadInput for values that are not computed. */
    ModelShape shape(HfConfig config);
}
