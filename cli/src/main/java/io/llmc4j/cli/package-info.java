/** The command line: commands, configuration, plans, progress, reports. It computes nothing. */
package io.llmc4j.cli;
