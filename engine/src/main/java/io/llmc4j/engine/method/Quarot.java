package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.linalg.Hadamard;
import io.llmc4j.engine.linalg.Rotation;
import io.llmc4j.engine.method.rotation.RotationRules;
import io.llmc4j.engine.method.rotation.StreamRotation;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;

/**
 * QuaRot (arXiv 2404.00456): the residual stream is turned by a random Hadamard (or orthogonal) matrix, which spreads outliers over all channels;
 * with {@code online_rotate} the inputs of down projections and attention outputs are Hadamard-rotated while the model runs.
 *
 * <p>Settings: LLMC's {@code rotate_mode} (hadamard, random) and {@code online_rotate}; ours: {@code rotation_path}, a safetensors file whose tensor Q
 * [hidden, hidden] is used instead of a drawn one, and {@code keep_embedding_mean}: true by default, since removing the mean of every
 * embedding row changes what a model with RMS norms computes; LLMC removes it (ODD-62), and so does {@code compat: llmc}.
 */
final class Quarot implements Method {

    @Override
    public String name() {
        return "QuaRot";
    }

    @Override
    public MethodInfo info() {
        return new MethodInfo("rotates the residual stream so that outliers spread over all channels", "arXiv 2404.00456", MethodInfo.Data.NONE);
    }

    @Override
    public List<Stage> recipe(MethodOptions options) {
        return List.of(new Rotate(options.choice("rotate_mode", "hadamard", "random"), options.flag("online_rotate", false), options.text("rotation_path", ""),
                options.flag("keep_embedding_mean", !options.llmcCompatible())));
    }

    private record Rotate(String mode, boolean online, String path, boolean keepMean) implements Transform {

        @Override
        public String name() {
            return "rotation";
        }

        @Override
        public void prepare(ModelWork model) {
            RotationRules.check(model.spec(), model.ends(), model.block(0), model.beside(), online);
            StreamRotation rotation = new StreamRotation(draw(model), online);
            model.setEnds(rotation.ends(model.ends(), !keepMean));
            model.editBlocks(rotation::block);
            model.note("the residual stream is rotated (" + (path.isEmpty() ? mode : path) + (online ? ", online Hadamard transforms" : "") + "); head and embedding are untied");
        }

        private Rotation draw(ModelWork model) {
            int n = model.spec().hiddenSize();
            if (!path.isEmpty()) {
                return read(Path.of(path), n);
            }
            SplittableRandom random = model.random("rotation");
            if (mode.equals("hadamard")) {
                return Hadamard.forSize(n).random(random);
            }
            double[] normal = new double[n * n];
            for (int i = 0; i < normal.length; i++) {
                normal[i] = gaussian(random);
            }
            return Rotation.orthogonalFactor(n, normal);
        }

        /** Box and Muller's transform with strict functions: the same on every machine. */
        private static double gaussian(SplittableRandom random) {
            double u = 1 - random.nextDouble();
            return StrictMath.sqrt(-2 * StrictMath.log(u)) * StrictMath.cos(2 * StrictMath.PI * random.nextDouble());
        }

        private static Rotation read(Path file, int n) {
            try (SafetensorsFile f = SafetensorsFile.open(file)) {
                Tensor t = f.tensor("Q");
                if (t.shape().rank() != 2 || t.shape().dim(0) != n || t.shape().dim(1) != n || t.dtype().bits() < 32) {
                    throw BadInput.of(BadInput.Common.CONFIG, "special.rotation_path: tensor Q of %s is %s%s; F64 or F32 [%d, %d] is expected", file, t.dtype(), t.shape(), n, n);
                }
                double[] q = new double[n * n];
                for (int i = 0; i < q.length; i++) {
                    q[i] = Tensors.getDouble(t, i);
                }
                Rotation r = new Rotation(n, q);
                if (r.departure() > 1e-4) {
                    throw BadInput.of(BadInput.Common.CONFIG, "special.rotation_path: tensor Q of %s is not orthogonal (largest entry of QᵀQ - I: %g)", file, r.departure());
                }
                return r;
            }
        }

        @Override
        public void apply(BlockWork work) {
            // Blocks are turned as they are read.
        }
    }
}
