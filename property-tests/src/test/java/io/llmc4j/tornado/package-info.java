/** The part of {@code tornado-kernels} that needs no TornadoVM: grids, panels, budgets, the ways TornadoVM can be missing, and what happens when a device fails. */
package io.llmc4j.tornado;
