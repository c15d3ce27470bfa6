package io.llmc4j.engine.method;

import io.llmc4j.engine.calibrate.Inputs;
import io.llmc4j.engine.calibrate.StateStore;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.KvCache;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.pipeline.LayerScheme;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.quant.ActivationRounding;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.WeightRounding;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * One block in the hands of a stage: its layers and schemes, statistics of the calibration data that flows through it, and the edits that a
 * stage may make. Lives while the block is at hand.
 *
 * <p>Statistics are those of the block as it was when the current stage started (float, all layers unquantized), until {@link #recapture}.
 * {@link #foldScale} keeps gathered inputs right by dividing them, as LLMC does.
 */
public interface BlockWork {

    Block block();

    Decoder decoder();

    RunConfig config();

    /** LLMC's number for every oddity. */
    default boolean llmcCompatible() {
        return config().llmcCompatible();
    }

    /** The layer's name in the model, "model.layers.0.self_attn.q_proj". */
    String fullName(Linear layer);

    /** How the layer is to be quantized; a layer without a weight scheme is float and no stage touches it. */
    LayerScheme scheme(Linear layer);

    /** The weight quantizer of the layer's scheme; empty when it stays float. */
    Optional<Quantizer> weightQuantizer(Linear layer);

    /** The activation quantizer of the layer's scheme (static ones included); empty when inputs stay float. */
    Optional<Quantizer> activationQuantizer(Linear layer);

    /** A random source of its own for this run's seed, this block and this name; the same for any number of threads. */
    SplittableRandom random(String name);

    // ---- what flows through the block ----

    /** The block's calibration inputs. Under {@code compat: llmc} with {@code quant_out} false, its float outputs (ODD-20). */
    Inputs blockInputs();

    /** Outputs of the float block as it was before the first stage, chunk by chunk beside {@link #blockInputs}. */
    Inputs floatOutputs();

    /** What a layer's product saw: after an online rotation (under {@code compat: llmc} before it). No chunks for an expert that no token reached. */
    Inputs inputs(Linear layer);

    /** What the subset's inspected module saw: the first layer's input, or for experts the input of the feed-forward half. */
    Inputs inputs(Subset subset);

    /** (2 / samples) XᵀX, [in, in], after the layer's online rotation. A copy for the caller. All zero for an expert that no token reached. */
    Matrix hessian(Linear layer);

    /** False for a layer of an expert that no calibration token was sent to. */
    boolean reached(Linear layer);

    /** Whether two layers of a subset read the same matrix, so that their statistics are one. */
    boolean sameInput(Linear a, Linear b);

    /** Largest |x| of each input feature over all tokens, [in]. A copy for the caller. */
    float[] channelMaxima(Linear layer);

    /**
     * Runs the block again on its inputs as it is now, quantized layers quantized, and gathers {@code needs} for the layers of one subset;
     * what was gathered for them before is forgotten. Static activation ranges of the subsets before it are fixed first.
     */
    void recapture(Subset next, Needs needs);

    /** The block (or its halves) as run by {@link #decoder()} needs this cache, so that a quantized KV cache is seen. */
    KvCache cache();

    /**
     * Where a stage keeps states of its own from block to block (a float stream beside the quantized one); the run closes it. Lists that are open
     * between blocks survive in a resumed run: the first list of that name that is asked for comes filled. Nothing else that a stage remembers of
     * earlier blocks does; what it finds out in {@link Stage#prepare} is found out again.
     */
    StateStore store();

    // ---- edits ----

    /**
     * Divides what feeds the subset by {@code scale} and multiplies the columns of its layers: the block's function stays. {@code scale} has
     * an entry an input feature, or (grouped queries, linear predecessor) an entry an output of the predecessor. Gathered inputs of the
     * subset's layers are divided too.
     */
    void foldScale(Subset subset, float[] scale);

    /** Subtracts {@code shift} from what feeds the subset and adds W · shift to the biases of its layers; gathered inputs follow. */
    void foldShift(Subset subset, float[] shift);

    /** A layer's weight was edited in place or replaced in a way that changes the function (clipped, compensated, pruned). */
    void weightChanged(Linear layer);

    void install(Linear layer, WeightRounding rounding);

    void install(Linear layer, ActivationRounding rounding);

    /** From now on, passes over the block see the layer quantized, with what is installed or (nothing installed) what its scheme says. */
    void quantize(Linear layer);

    /** Fixes the static activation ranges of the subset's layers from what was gathered; a no-op for dynamic activations. */
    void fixStaticRanges(Subset subset);

    // ---- what the report and the files say ----

    /** What was special about a layer: "3 dead columns". */
    void note(Linear layer, String text);

    /** The mean loss of one pass over the calibration data by a stage that learns. */
    void loss(String stage, int epoch, double value);

    /** Named vectors that a method exports beside the model (AWQ's scales and clip factors, shifts), keyed as LLMC's files are. */
    void artifact(String file, String key, Matrix value);
}
