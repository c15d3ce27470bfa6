/**
 * LLMC's YAML files, read strictly: every key knows its line and column, unknown keys are errors with a suggestion, and all problems of a file are
 * told at once, before any work. What comes out is plain records; what they mean is decided elsewhere.
 */
package io.llmc4j.cli.config;
