/** The machine-readable account of a run, report.json, and JSON for {@code --json}. */
package io.llmc4j.cli.report;
