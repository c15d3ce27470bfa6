/**
 * From one quantized format to another: exact where both can hold the same codes, refused by name where they cannot, rounded again only when asked.
 */
package io.llmc4j.formats.convert;
