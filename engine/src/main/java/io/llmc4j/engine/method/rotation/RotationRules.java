package io.llmc4j.engine.method.rotation;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.linalg.Hadamard;
import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
import java.util.ArrayList;
import java.util.List;

/** What a model must have for its residual stream to be turned without changing what it computes; every offence is named at once. */
public final class RotationRules {

    private RotationRules() {
    }

    /**
     * @param first  any block: blocks of one model have the same norms
     * @param beside parts that put states of their own into the stream
     * @param online whether inputs of output and down projections are to be rotated too
     */
    public static void check(ModelSpec spec, ModelEnds ends, Block first, List<String> beside, boolean online) {
        List<String> why = new ArrayList<>();
        if (!beside.isEmpty()) {
            why.add("what " + String.join(", ", beside) + " put into it would not be turned");
        }
        if (ends.embeddingNorm().isPresent()) {
            why.add("a norm with weights stands on the embeddings");
        }
        if (ends.projectIn().isPresent() || ends.projectOut().isPresent()) {
            why.add("the embedding passes a projection");
        }
        if (ends.finalNorm().isEmpty()) {
            why.add("there is no final norm before the head");
        }
        for (NormSlot slot : List.of(NormSlot.ATTENTION_OUTPUT, NormSlot.MLP_OUTPUT, NormSlot.AFTER_ATTENTION, NormSlot.AFTER_MLP)) {
            if (first.norm(slot).isPresent()) {
                why.add("norm " + first.norm(slot).get().name() + " with weights stands on what blocks add to the stream");
            }
        }
        if (first.norm(NormSlot.ATTENTION_INPUT).isEmpty()) {
            why.add("blocks read the stream without a norm");
        }
        if (online) {
            online(spec, first, why);
        }
        if (!why.isEmpty()) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "the residual stream of family %s cannot be rotated: %s; choose a method without rotation", spec.family(),
                    String.join("; ", why));
        }
    }

    /** For a model that is rotated already: whether its inputs can be rotated while it runs. */
    public static void checkInputs(ModelSpec spec, Block first) {
        List<String> why = new ArrayList<>();
        online(spec, first, why);
        if (!why.isEmpty()) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "special.online_rotate for family %s: %s; set it to False", spec.family(), String.join("; ", why));
        }
    }

    private static void online(ModelSpec spec, Block first, List<String> why) {
        AttentionSpec a = first.spec().attention();
        boolean linearDown = first.linear(Role.DOWN).isPresent() && first.spec().feedForward().gated();
        if (!linearDown || first.linear(Role.V).isEmpty()) {
            why.add("online_rotate needs a gated dense feed-forward and a value projection in every block");
            return;
        }
        int down = first.linear(Role.DOWN).get().in();
        if (!Hadamard.supports(down)) {
            why.add("online_rotate: no Hadamard matrix for the feed-forward width " + down);
        }
        int attention = a.heads() * a.valueDim();
        if (Integer.bitCount(a.valueDim()) != 1) {
            why.add("online_rotate needs heads of a power of two, not " + a.valueDim());
        } else if (!Hadamard.supports(attention) || !Hadamard.supports(a.heads()) || Hadamard.orderFor(attention) != Hadamard.orderFor(a.heads())) {
            why.add("online_rotate: " + a.heads() + " heads of " + a.valueDim() + " have no Hadamard matrix that splits into one over heads and one inside a head");
        }
    }
}
