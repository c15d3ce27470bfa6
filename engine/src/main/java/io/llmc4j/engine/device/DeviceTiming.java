package io.llmc4j.engine.device;

/**
 * One product on a device.
 *
 * @param what            the kernel, "product A Bᵀ, register-blocked"
 * @param size            rows and columns of both matrices
 * @param wholeSeconds    from arrays to arrays
 * @param kernelSeconds   of the kernel alone
 * @param transferSeconds there and back
 */
public record DeviceTiming(String what, int size, double wholeSeconds, double kernelSeconds, double transferSeconds) {

    /** Operations a second of the kernel alone. */
    public double kernelFlops() {
        return 2.0 * size * size * size / kernelSeconds;
    }

    /** Operations a second with the transfers. */
    public double wholeFlops() {
        return 2.0 * size * size * size / wholeSeconds;
    }
}
