/**
 * The engine's kernels on a GPU through TornadoVM, in two parts. This part is always built and needs no TornadoVM: finding it, or saying in one sentence why
 * it is not there; which calls are worth the transfer; panels, grids, buffer budgets; and what happens when a device fails (the CPU computes the call, and
 * the report says so). The other part, {@code src/tornado}, holds the kernels and is built where an SDK is.
 *
 * <p>A device that decides must give the CPU's bits. So in strict mathematics its products follow the definition's order, k in order with fused multiply-adds
 * inside blocks of 384, block sums added in order; every form of product is first tried on the device with known numbers and goes to the CPU for good
 * when one bit differs. Only products and XᵀX go there in a run: everything else reads and writes each number about once, and the way to the device and
 * back takes longer than the CPU needs. In fast mathematics the device computes products of forward passes, the CPU everything that decides.
 */
package io.llmc4j.tornado;
