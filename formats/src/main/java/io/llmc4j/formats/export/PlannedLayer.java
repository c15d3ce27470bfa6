package io.llmc4j.formats.export;

import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.quant.QuantScheme;
import java.util.Optional;

/**
 * One linear layer of a run that has not begun: what a format's rules are held against.
 *
 * @param name       full name, "model.layers.0.self_attn.q_proj"
 * @param weight     empty when the layer stays float
 * @param activation empty when its inputs are not rounded
 * @param actOrder   whether columns are put into groups in another order (GPTQ with act-order and without static groups)
 * @param whyNoCodes why the method gives no codes for it, one clause; empty when it gives codes
 * @param stacked    whether the checkpoint holds it as a slice of one tensor for all experts (GPT-OSS)
 */
public record PlannedLayer(String name, Role role, int out, int in, Optional<QuantScheme> weight, Optional<QuantScheme> activation, boolean actOrder,
                           String whyNoCodes, boolean stacked) {

    /** A layer with a tensor of its own. */
    public PlannedLayer(String name, Role role, int out, int in, Optional<QuantScheme> weight, Optional<QuantScheme> activation, boolean actOrder, String whyNoCodes) {
        this(name, role, out, in, weight, activation, actOrder, whyNoCodes, false);
    }
}
