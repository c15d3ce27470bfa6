/**
 * Methods: one class a method, each a recipe of stages that transform, clip, round or keep. {@link io.llmc4j.engine.method.Methods} is the only list of them.
 */
package io.llmc4j.engine.method;
