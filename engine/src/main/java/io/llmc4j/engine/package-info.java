/**
 * The engine: the mathematics of compression. It knows no file name of Hugging Face, no YAML key and no console.
 * Only what every room of the engine shares lives in this package itself.
 */
package io.llmc4j.engine;
