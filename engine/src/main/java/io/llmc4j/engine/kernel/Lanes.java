package io.llmc4j.engine.kernel;

import io.llmc4j.engine.BadInput;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/** The vector width of this process: property {@code llmc4j.vector.bits} = 128, 256, 512 or preferred. The width never changes a result. */
final class Lanes {

    static final String PROPERTY = "llmc4j.vector.bits";

    static final VectorSpecies<Float> F = species();
    static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());
    static final int L = F.length();

    /** Rows of the register tile: 12 where there are 32 vector registers (AVX-512, AArch64), 4 where there are 16 (see {@link WideTiles}). */
    static final int TILE_ROWS = F.vectorBitSize() == 512 || System.getProperty("os.arch", "").equals("aarch64") ? 12 : 4;

    private Lanes() {
    }

    private static VectorSpecies<Float> species() {
        String bits = System.getProperty(PROPERTY, "preferred");
        return switch (bits) {
            // Wider than 512 bits does not fit the sixteen virtual lanes of a reduction.
            case "preferred" -> FloatVector.SPECIES_PREFERRED.length() > Kernels.LANES ? FloatVector.SPECIES_512
                    : FloatVector.SPECIES_PREFERRED.length() < 4 ? FloatVector.SPECIES_128 : FloatVector.SPECIES_PREFERRED;
            case "128" -> FloatVector.SPECIES_128;
            case "256" -> FloatVector.SPECIES_256;
            case "512" -> FloatVector.SPECIES_512;
            default -> throw BadInput.of(BadInput.Common.ENVIRONMENT, "property %s is '%s'; it may be 128, 256, 512 or preferred", PROPERTY, bits);
        };
    }

    /** Rows of the tile to use when this many are left. */
    static int tileRows(int left) {
        return left >= TILE_ROWS ? TILE_ROWS : Math.min(left, 4);
    }

    /** The lanes of the vector that starts at {@code from} whose index is below {@code n}. */
    static VectorMask<Float> below(int from, int n) {
        return F.indexInRange(from, n);
    }
}
