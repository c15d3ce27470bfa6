package io.llmc4j.engine.tensor;

import java.util.Optional;

/** Element types of stored tensors, named as safetensors names them. */
public enum DType {
    F64(64), F32(32), F16(16), BF16(16), F8_E4M3(8), F8_E5M2(8), F8_E8M0(8),
    I64(64), I32(32), I16(16), I8(8), U64(64), U32(32), U16(16), U8(8), BOOL(8),
    /** Types that can be stored and listed, and decoded where that is one number; nothing computes in them. */
    C64(64), F8_E4M3FNUZ(8), F8_E5M2FNUZ(8), F6_E2M3(6), F6_E3M2(6), F4(4);

    private final int bits;

    DType(int bits) {
        this.bits = bits;
    }

    public int bits() {
        return bits;
    }

    /** Bytes of one element; 0 for the types that share bytes (F4, F6_…). */
    public int bytes() {
        return bits / 8;
    }

    public boolean isFloat() {
        return switch (this) {
            case F64, F32, F16, BF16, F8_E4M3, F8_E5M2, F8_E8M0, F8_E4M3FNUZ, F8_E5M2FNUZ, F6_E2M3, F6_E3M2, F4 -> true;
            default -> false;
        };
    }

    /** The type of that safetensors name, if there is one. */
    public static Optional<DType> named(String name) {
        for (DType t : values()) {
            if (t.name().equals(name)) {
                return Optional.of(t);
            }
        }
        return Optional.empty();
    }
}
