/**
 * Calibration: token windows, what layers saw of them ({@link io.llmc4j.engine.calibrate.Inputs}), the hooks that gather it, and the store in which
 * states wait between blocks, outside the heap and within a budget.
 */
package io.llmc4j.engine.calibrate;
