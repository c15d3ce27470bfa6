/** Plain values (maps, lists, texts, numbers, booleans) as JSON and back: what the journal keeps and what commands report. */
package io.llmc4j.engine.json;
