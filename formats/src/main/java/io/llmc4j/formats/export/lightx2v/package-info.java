/**
 * LightX2V, a video generator: bytes and scales of every linear under plain names, and a word in config.json.
 */
package io.llmc4j.formats.export.lightx2v;
