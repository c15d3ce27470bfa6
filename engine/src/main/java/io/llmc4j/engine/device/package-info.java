/**
 * Machines beside the CPU that can compute {@link io.llmc4j.engine.kernel.Kernels}: what they are, how one is chosen, and what they owe. A provider is found
 * by ServiceLoader; the engine knows none by name. In strict mathematics a device gives the bits of the CPU or is not used; in fast mathematics it computes
 * forward passes only ({@link io.llmc4j.engine.device.ForwardPass}).
 */
package io.llmc4j.engine.device;
