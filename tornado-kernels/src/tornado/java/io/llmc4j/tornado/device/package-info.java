/**
 * The kernels themselves, and what binds them to TornadoVM. Built only where an SDK is. A kernel is a static method that computes one work item; it is plain
 * Java, so a test can run all items of a launch one after the other, or group by group, without a device.
 *
 * <p>How kernels are written, and why: where the definition has a fused multiply-add, a kernel says {@code a * b + c}, which TornadoVM makes {@code fma},
 * correctly rounded; so run as Java the same line rounds twice, and tests give it factors whose products are exact. Nowhere else is a product added to.
 * Half-even rounding is made of {@code floor}, powers of two of multiplications, because the bits of a float cannot be taken in a kernel. Min and max are
 * comparisons that keep NaN. The first argument after the context is the call's sizes; its element 0 is a ticket, which item 0 hands back, because a
 * launch that the driver refused looks like one that ran. No kernel is named like a function of OpenCL, Math.sqrt(double) and @Reduce are not used, and
 * sizes are read from the ticket's array, not from the arrays' own lengths, which would be compiled in.
 */
package io.llmc4j.tornado.device;
