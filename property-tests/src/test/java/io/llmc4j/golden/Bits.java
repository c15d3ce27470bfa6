package io.llmc4j.golden;

import java.util.ArrayList;
import java.util.List;

/** Compares float arrays bit for bit (all NaNs are one) and says where they differ. */
public final class Bits {

    private Bits() {
    }

    /** Nothing when equal, else one line. */
    public static List<String> differences(String what, float[] ours, float[] golden) {
        List<String> out = new ArrayList<>();
        if (ours.length != golden.length) {
            out.add(what + ": " + ours.length + " values, golden has " + golden.length);
            return out;
        }
        int n = 0;
        String first = "";
        for (int i = 0; i < ours.length; i++) {
            if (Float.floatToIntBits(ours[i]) != Float.floatToIntBits(golden[i])) {
                first = n++ == 0 ? " first at " + i + ": " + ours[i] + ", golden " + golden[i] : first;
            }
        }
        if (n > 0) {
            out.add(what + ": " + n + " of " + ours.length + " differ," + first);
        }
        return out;
    }
}
