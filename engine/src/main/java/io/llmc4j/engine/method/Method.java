package io.llmc4j.engine.method;

import java.util.List;

/**
 * A compression method: a name, what there is to say about it, and a recipe of stages. To add one, write a class that implements this and
 * name it in {@link Methods}; the package's description walks through it.
 */
public interface Method {

    /** LLMC's name, "GPTQ"; what configurations and reports say. */
    String name();

    MethodInfo info();

    /**
     * The stages in the order in which each block passes through them. Settings are read (and refused, BadInput) here, before any block is
     * read. An empty recipe rounds every layer to nearest by its scheme.
     */
    List<Stage> recipe(MethodOptions options);

    /** Why formats of codes cannot hold what it makes, one clause; empty when they can. */
    default String whyNoCodes(MethodOptions options) {
        return "";
    }
}
