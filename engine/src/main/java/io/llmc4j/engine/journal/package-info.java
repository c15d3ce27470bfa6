/**
 * What makes a run survive its process: a journal beside the output, written at block boundaries, with the states that wait between blocks and
 * fingerprints of everything that the result depends on. The fold writes it and takes it up; nothing else knows its files.
 */
package io.llmc4j.engine.journal;
