/** One class a command: its options, and what it prints. The work is done elsewhere. */
package io.llmc4j.cli.command;
