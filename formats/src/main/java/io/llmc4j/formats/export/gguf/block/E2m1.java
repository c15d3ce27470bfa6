package io.llmc4j.formats.export.gguf.block;

/** The eight magnitudes of the four-bit float E2M1, doubled so that they are integers; bit 3 of a code is the sign. */
final class E2m1 {

    static final byte[] DOUBLED = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

    private E2m1() {
    }

    /** The first code whose value times d is nearest to v. */
    static int nearest(float v, float d) {
        int best = 0;
        float bestDistance = Math.abs(DOUBLED[0] * d - v);
        for (int i = 1; i < 16; i++) {
            float distance = Math.abs(DOUBLED[i] * d - v);
            if (distance < bestDistance) {
                best = i;
                bestDistance = distance;
            }
        }
        return best;
    }
}
