/**
 * Calibration and evaluation data: text and token ids from the files and folders that people have, and LLMC's samplers, which draw the same windows here
 * because Python's and NumPy's random generators are here too. Every fault of the data is a {@link io.llmc4j.formats.data.DataError}.
 */
package io.llmc4j.formats.data;
