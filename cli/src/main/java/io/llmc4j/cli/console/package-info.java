/** What a terminal shows: tables, sizes, durations, progress. Nothing here knows what it is about. */
package io.llmc4j.cli.console;
