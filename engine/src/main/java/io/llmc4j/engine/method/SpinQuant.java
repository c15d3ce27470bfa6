package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.autodiff.Var;
import io.llmc4j.engine.linalg.Hadamard;
import io.llmc4j.engine.linalg.Rotation;
import io.llmc4j.engine.method.rotation.CayleySgd;
import io.llmc4j.engine.method.rotation.RotatedModel;
import io.llmc4j.engine.method.rotation.RotationRules;
import io.llmc4j.engine.method.rotation.StreamRotation;
import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.tensor.Matrix;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * SpinQuant (arXiv 2405.16406): the rotations of the residual stream (R1) and inside the value heads (R2) are learnt by Cayley SGD on the language-model loss of
 * the quantized model, starting from random Hadamard matrices, and then folded into the weights. The learning rate falls linearly to zero.
 *
 * <p>Settings: {@code steps} (100), {@code lr} (1.5). Training holds the whole float model in memory, which the other methods do not.
 */
final class SpinQuant implements Method {

    @Override
    public String name() {
        return "SpinQuant";
    }

    @Override
    public MethodInfo info() {
        return new MethodInfo("learns rotations of the residual stream and of the value heads", "arXiv 2405.16406", MethodInfo.Data.ALWAYS);
    }

    @Override
    public List<Stage> recipe(MethodOptions options) {
        if (options.flag("online_rotate", false)) {
            throw new BadInput(BadInput.Common.NOT_SUPPORTED, "SpinQuant learns without online rotations; set special.online_rotate: false, or use QuaRot for them");
        }
        return List.of(new Learn(options.integer("steps", 100), options.number("lr", 1.5)));
    }

    private record Learn(int steps, double rate) implements Transform {

        @Override
        public String name() {
            return "SpinQuant";
        }

        @Override
        public void check(RunConfig config) {
            LearningRules.check(name(), config);
        }

        @Override
        public void prepare(ModelWork model) {
            RotationRules.check(model.spec(), model.ends(), model.block(0), model.beside(), false);
            int n = model.spec().hiddenSize();
            SplittableRandom random = model.random("rotation");
            StreamRotation fuse = new StreamRotation(Rotation.identity(n), false);
            ModelEnds ends = fuse.ends(model.ends(), false);
            List<Block> blocks = new ArrayList<>();
            List<Matrix> inner = new ArrayList<>();
            for (int i = 0; i < model.spec().blocks(); i++) {
                Block b = model.block(i);
                fuse.block(b);
                blocks.add(b);
                int width = b.spec().attention().valueDim();
                inner.add(b.linear(Role.V).isPresent() ? floats(Hadamard.forSize(width).random(random)) : floats(Rotation.identity(width)));
            }
            Matrix stream = floats(Hadamard.forSize(n).random(random));
            RunConfig config = model.config();
            RotatedModel rotated = new RotatedModel(model.decoder(), ends, blocks,
                    (b, l) -> config.scheme(model.spec().family(), b.index(), l.role(), l.name(),
                            model.blockPrefix(b.index()) + "." + l.name()), stream, inner);
            train(model, rotated, config.calibration().orElseThrow().samples());
            fold(model, stream, inner);
        }

        private void train(ModelWork model, RotatedModel rotated, int[][] samples) {
            double first = 0;
            double last = 0;
            for (int step = 0; step < steps; step++) {
                rotated.parameters().forEach(Var::zeroGradient);
                double loss = rotated.lossAndGradient(samples[step % samples.length], true);
                if (!Double.isFinite(loss)) {
                    throw BadInput.of(BadInput.Common.MODEL, "SpinQuant: the loss is %s at step %d; use a smaller special.lr", loss, step);
                }
                double lr = rate * (1 - (double) step / steps);
                rotated.parameters().forEach(p -> CayleySgd.step(p.value(), p.gradient(), lr));
                first = step == 0 ? loss : first;
                last = loss;
            }
            model.note(String.format(java.util.Locale.ROOT, "SpinQuant: %d steps, loss %.4f at the first and %.4f at the last", steps, first, last));
        }

        private static void fold(ModelWork model, Matrix stream, List<Matrix> inner) {
            StreamRotation learnt = new StreamRotation(doubles(stream), false);
            model.setEnds(learnt.ends(model.ends(), false));
            model.editBlocks(b -> {
                learnt.block(b);
                b.linear(Role.V).ifPresent(v -> insideHeads(b, v, doubles(inner.get(b.index()))));
            });
        }

        /** R2 on the output of the value heads and on the input of the output projection. */
        private static void insideHeads(Block b, Linear v, Rotation r2) {
            int width = r2.n();
            AttentionSpec a = b.spec().attention();
            Matrix t = v.weight().transpose();
            Matrix turned = r2.timesOnRight(new Matrix(t.rows() * a.kvHeads(), width, t.data()));
            v.setWeight(new Matrix(t.rows(), t.cols(), turned.data()).transpose());
            if (v.bias().length > 0) {
                v.setBias(r2.timesOnRight(new Matrix(a.kvHeads(), width, v.bias())).data());
            }
            Linear o = b.linear(Role.O).orElseThrow();
            Matrix w = o.weight();
            o.setWeight(new Matrix(w.rows(), w.cols(), r2.timesOnRight(new Matrix(w.rows() * a.heads(), width, w.data())).data()));
        }

        private static Matrix floats(Rotation r) {
            Matrix m = new Matrix(r.n(), r.n());
            for (int i = 0; i < m.data().length; i++) {
                m.data()[i] = (float) r.q()[i];
            }
            return m;
        }

        private static Rotation doubles(Matrix m) {
            double[] q = new double[m.data().length];
            for (int i = 0; i < q.length; i++) {
                q[i] = m.data()[i];
            }
            // float32 entries are orthogonal to about 1e-7; the fold uses the double matrix nearest to them.
            return Rotation.orthogonalFactor(m.rows(), q);
        }

        @Override
        public void apply(BlockWork work) {
            // Blocks are turned as they are read.
        }
    }
}
