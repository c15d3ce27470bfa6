/**
 * What {@code llmc4j bench} measures: a case is some work with a size, a column is something that does it (threads, a device, another program), and the
 * suite fills the table. Peaks of the machine are measured beside it, so that each number has its share.
 */
package io.llmc4j.cli.bench;
