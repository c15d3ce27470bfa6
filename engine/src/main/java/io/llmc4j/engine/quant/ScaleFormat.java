package io.llmc4j.engine.quant;

/** How a scale itself is stored. */
public enum ScaleFormat {
    /** A float32 (rounded by an export to what its format holds). */
    FLOAT,
    /** A power of two (OCP microscaling, MXFP4/6/8): 2^(floor(log2 max) - Emax), which may saturate the largest values. */
    E8M0,
    /** A power of two as compressed-tensors chooses it: one higher than {@link #E8M0} when the mantissa of the maximum is 1.75 or more. */
    E8M0_ROUNDED,
    /** e4m3 with one float32 scale for the tensor (NVFP4). */
    E4M3_TWO_LEVEL
}
