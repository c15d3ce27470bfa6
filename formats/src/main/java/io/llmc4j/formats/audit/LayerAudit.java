package io.llmc4j.formats.audit;

import io.llmc4j.engine.model.Role;
import java.util.Optional;

/**
 * One linear layer of the quantized model against what the original says it should be.
 *
 * @param name         "model.layers.0.self_attn.q_proj"
 * @param scheme       "int4 asymmetric, group 128"; "float" when it is stored so
 * @param bits         average bits of a weight, scales and zero points included
 * @param reference    what it was compared with: "original", or the original with recognized transformations
 * @param error        against the reference
 * @param plain        relative error of plain rounding (minimum and maximum) of the reference on the same grid; empty without a grid
 * @param plainMse     the same with ranges by the search of least error; empty where that is not defined
 * @param saturated    share of codes at either end of the grid; empty without codes
 * @param levels       codes of the grid that occur, and how many there are; empty without codes
 * @param worse        worse than nearest rounding by more than rounding methods are
 * @param cause        the likely cause when it is off
 * @param sound        whether no fault was found in it
 */
public record LayerAudit(int block, String name, Role role, int expert, int out, int in, String scheme, double bits, String reference, MatrixError error,
                         Optional<Double> plain, Optional<Double> plainMse, Optional<Double> saturated, Optional<Levels> levels, boolean worse,
                         Optional<String> cause, boolean sound) {

    /** @param used distinct codes that occur */
    public record Levels(int used, int all) { }

    /** "q_proj" of "model.layers.0.self_attn.q_proj"; of an expert "w1 (experts)". */
    public String kind() {
        String last = name.substring(name.lastIndexOf('.') + 1);
        return expert >= 0 ? last + " (experts)" : last;
    }
}
