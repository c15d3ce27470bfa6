package io.llmc4j.engine.model;

import java.util.List;
import java.util.Optional;

/**
 * Linear layers of a block that share one input, with the operation that makes this input (LLMC's vocabulary).
 *
 * @param layers   names of {@link Linear}s, in order
 * @param previous what a scale can be folded into; empty where folding would not preserve the model
 * @param inspect  whose output a search compares
 * @param isMlp    the feed-forward half (QuaRot tells the down projection from the attention output by it)
 * @param transform whether AWQ may transform it ({@code do_trans})
 * @param rotate   whether QuaRot rotates it
 * @param input    the layer whose recorded input stands for the subset's input: the first one, or the router where tokens are spread over experts
 */
public record Subset(List<String> layers, Optional<Previous> previous, Inspect inspect, boolean isMlp, boolean transform, boolean rotate, String input) {

    public Subset(List<String> layers, Optional<Previous> previous, Inspect inspect, boolean isMlp, boolean transform, boolean rotate) {
        this(layers, previous, inspect, isMlp, transform, rotate, layers.getFirst());
    }

    public Subset {
        layers = List.copyOf(layers);
    }

    public enum Inspect { ATTENTION, MLP, BLOCK, LINEAR }

    /** The operation before a subset. */
    public sealed interface Previous {
        String name();
    }

    /** A norm: scales fold into its weight and bias. */
    public record PreviousNorm(String name) implements Previous { }

    /** A linear layer whose output reaches the subset without a non-linearity (value to output, up to down). */
    public record PreviousLinear(String name) implements Previous { }
}
