/**
 * Methods: one class a method, each a recipe of stages that transform, clip, round or keep. {@link io.llmc4j.engine.method.Methods} is the only list of them.
 *
 * <h2>How to add a method</h2>
 * <ol>
 * <li>A class that implements {@link io.llmc4j.engine.method.Method}: LLMC's name, a sentence, the paper, whether it needs calibration data, and
 *     {@code recipe}, which reads its settings from {@link io.llmc4j.engine.method.MethodOptions} (LLMC's keys; what is wrong is a BadInput there)
 *     and returns stages: records that implement {@link io.llmc4j.engine.method.Transform}, {@link io.llmc4j.engine.method.Clip},
 *     {@link io.llmc4j.engine.method.Round} or {@link io.llmc4j.engine.method.Keep}. Put the arithmetic of the paper into a class of its own that
 *     knows matrices only.</li>
 * <li>One line in {@link io.llmc4j.engine.method.Methods}; its settings in the command line's table of keys.</li>
 * <li>Its golden cases in a test; a case is one line.</li>
 * </ol>
 *
 * <h2>What a stage does</h2>
 * {@code prepare} runs once, before the first block, on the {@link io.llmc4j.engine.method.ModelWork}: statistics over the whole model
 * ({@code forEachBlock}), rotations of embeddings and head ({@code setEnds}) and of every block as soon as it is read ({@code editBlocks}), blocks
 * that are dropped. {@code apply} runs once a block on its {@link io.llmc4j.engine.method.BlockWork}:
 * <ul>
 * <li>read: the block's layers, their schemes and quantizers (empty: the layer stays float, leave it alone), what they saw
 *     ({@code inputs}, {@code hessian}, {@code channelMaxima}), the block's inputs and float outputs. What was not gathered yet is gathered when it
 *     is asked for; {@code needs()} puts it into the pass that is made anyway (float outputs exist only if {@code needs()} names them);</li>
 * <li>edit: {@code foldScale} and {@code foldShift} keep the block's function and what was gathered; an edit that does not is told by
 *     {@code weightChanged}; how a weight becomes codes is {@code install}ed as a WeightRounding. Layers without one are rounded to nearest by their
 *     scheme, so a method that only transforms installs nothing;</li>
 * <li>subset after subset on quantized inputs (true_sequential): {@code quantize} the layers that are done, {@code recapture} the next subset;
 *     say so by {@code runsBlockAgain};</li>
 * <li>tell: {@code note} what was special about a layer, {@code loss} of an epoch, {@code artifact} for vectors that LLMC saves beside the model.</li>
 * </ul>
 * A later stage sees the block as the earlier ones left it, so a combination is a longer list of methods in the run's configuration.
 * Random numbers come from {@code random} alone. Wherever LLMC's number and the right one differ, {@code llmcCompatible()} decides.
 */
package io.llmc4j.engine.method;
