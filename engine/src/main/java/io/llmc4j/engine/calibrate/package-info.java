/**
 * Calibration: token windows to first states, the store of states, and the statistics that a method can ask for.
 */
package io.llmc4j.engine.calibrate;
