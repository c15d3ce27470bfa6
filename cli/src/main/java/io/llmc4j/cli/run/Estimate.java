package io.llmc4j.cli.run;

import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.VectorKernels;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.pipeline.MethodStep;
import java.util.List;

/**
 * What a run will take, from shapes alone. Sizes are exact to a per cent or so; memory is an upper bound; time is right within a factor of two or three:
 * it counts the multiplications of passes and searches and supposes a speed by vector width and threads.
 *
 * @param parameters  of the model, embeddings included
 * @param bits        a weight of the quantized layers, scales and zero points included
 * @param outputBytes of one output of real codes, if there is one, else of floats of 16 bits
 * @param scratchBytes on the disk of the first output while it runs: two boundaries of states in the journal, states beyond the memory's budget
 * @param memoryBytes heap and mapped states at the peak
 * @param operations  multiply-adds
 * @param seconds     on this machine
 */
record Estimate(long parameters, double bits, long outputBytes, long scratchBytes, long memoryBytes, double operations, double seconds) {

    static Estimate of(Job job) {
        ModelSpec spec = job.shape().spec();
        double codeBits = 0;
        long quantized = 0;
        long linear = 0;
        for (PlannedRunLayer l : job.layers()) {
            linear += l.weights();
            if (l.scheme().quantized()) {
                quantized += l.weights();
                codeBits += l.weights() * job.bits(l);
            }
        }
        long ends = (long) spec.vocabularySize() * spec.hiddenSize() * (job.shape().ends().tied() ? 1 : 2);
        long parameters = linear + ends;
        boolean codes = job.targets().stream().anyMatch(t -> t.format().holdsCodes());
        long output = codes ? Math.round(codeBits / 8) + (parameters - quantized) * 2 : parameters * 2;

        long tokens = job.run().calibration().map(c -> c.tokens())
                .orElseGet(() -> job.config().calibration().map(c -> (long) c.samples() * Math.max(1, c.seqLen())).orElse(0L));
        long states = 2 * tokens * spec.hiddenSize() * 4;
        MemoryNeed need = MemoryNeed.of(job, job.run().memory().chunkTokens());
        long memory = need.peak(job.run().memory().stateBytes());

        long waiting = states / 2;
        for (Evaluation e : job.run().evaluations()) {
            waiting += e.tokens() * spec.hiddenSize() * 4 * e.positions().size();
        }
        long scratch = 2 * waiting + Math.max(0, need.states() - job.run().memory().stateBytes());

        double operations = 0;
        if (job.target().isPresent()) {
            operations += work("GPTQ", linear, tokens, job.layers());
        }
        for (MethodStep m : job.run().methods()) {
            operations += work(m.name(), linear, tokens, job.layers());
        }
        for (Evaluation e : job.run().evaluations()) {
            operations += (double) e.tokens() * parameters * e.positions().size();
        }
        return new Estimate(parameters, quantized == 0 ? 16 : codeBits / quantized, output, scratch, memory, operations, operations / speed() + parameters * 4 / 2e9);
    }

    /** Multiply-adds of a method: passes over the blocks, and what it searches. */
    private static double work(String method, long linear, long tokens, List<PlannedRunLayer> layers) {
        double pass = (double) linear * tokens;
        double hessians = layers.stream().mapToDouble(l -> (double) l.in() * l.in() / 2 * tokens + (double) l.in() * l.in() * (l.in() / 3.0 + l.out() / 2.0)).sum();
        double grams = layers.stream().mapToDouble(l -> 128.0 * l.in() * tokens / 2).sum();
        return switch (method) {
            case "RTN", "HQQ", "LlmInt8", "Quarot", "Magnitude" -> 0;
            case "GPTQ", "OWQ", "SpQR" -> 2 * pass + hessians;
            case "QUIK" -> 2 * pass + hessians;
            case "Awq", "DGQ" -> 22 * pass + grams;
            case "OsPlus" -> 40 * pass;
            case "OmniQuant" -> 20 * 6 * pass;
            case "TesseraQ" -> 100 * 6 * pass;
            case "NormTweaking" -> 50 * 6 * pass;
            case "SpinQuant" -> 30 * pass;
            default -> 2 * pass;
        };
    }

    /** Multiply-adds a second that a run may hope for: a vector a core and cycle at two gigahertz, and half of it lost beside the products. */
    private static double speed() {
        int floats = Kernels.get().host() instanceof VectorKernels v ? v.vectorBits() / Float.SIZE : 1;
        return floats * 2e9 * Parallel.threads() / 2;
    }
}
