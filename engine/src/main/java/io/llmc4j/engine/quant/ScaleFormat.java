package io.llmc4j.engine.quant;

/** How a scale itself is stored. */
public enum ScaleFormat {
    /** A float32 (rounded by an export to what its format holds). */
    FLOAT,
    /** A power of two over 32 elements (OCP microscaling, MXFP4/6/8). */
    E8M0,
    /** e4m3 over 16 elements, with one float32 scale for the tensor (NVFP4). */
    E4M3_TWO_LEVEL
}
