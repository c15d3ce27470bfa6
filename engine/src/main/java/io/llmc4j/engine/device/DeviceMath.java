package io.llmc4j.engine.device;

/** What a device may do with the last bit. */
public enum DeviceMath {

    /** The bits of the scalar definition: fused multiply-add exactly where it has one, correctly rounded division, no relaxed flag. */
    STRICT,

    /** The compiler's relaxed mathematics, for forward passes only; everything that decides stays on the CPU. */
    FAST
}
