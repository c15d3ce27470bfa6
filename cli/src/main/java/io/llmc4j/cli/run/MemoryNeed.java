package io.llmc4j.cli.run;

import io.llmc4j.cli.console.Text;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.method.Methods;
import io.llmc4j.engine.method.Need;
import io.llmc4j.engine.method.Stage;
import io.llmc4j.engine.model.FeedForwardSpec;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.formats.hf.BlockLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The memory of a run's peak, from shapes: that of its widest block, whatever the number of blocks.
 *
 * @param heap     float weights, rounded weights and codes of a block, what its method keeps, and one chunk of tokens; what {@link HeapKeeper} keeps the heap at
 * @param expertHessians whether Hessians of experts take a quarter of the states' budget on the heap, beside {@code heap}
 * @param mapped   a block's bytes as they are stored, or a layer's where one at a time is in memory
 * @param states   what waits between blocks or was gathered, all together; what does not fit the budget lies on disk
 * @param overhead of the virtual machine: code, threads, buffers
 */
record MemoryNeed(long heap, boolean expertHessians, long mapped, long states, long overhead) {

    /** Where nothing but weights is read, and where tokens flow: a tokenizer, and more code that is compiled. */
    private static final long OVERHEAD = 90_000_000L;
    /** Beside layers that are old objects from the start, young ones. */
    private static final long OVERHEAD_OF_LARGE_LAYERS = 40_000_000L;
    private static final long OVERHEAD_OF_PASSES = 115_000_000L;
    /** A text's tokens and the code that reads it. */
    private static final long OVERHEAD_OF_EVALUATIONS = 40_000_000L;
    /** States below this make a run that does nothing but read and write them. */
    private static final long LEAST_STATES = 64_000_000L;
    /** Of a panel of the head, with the panel itself. */
    private static final long LOGITS = 64_000_000L;
    /** Rows of an expert's input that wait for their sum. */
    private static final int ROUTED_ROWS = 256;
    private static final List<String> LEARNING = List.of("OmniQuant", "TesseraQ", "NormTweaking", "SpinQuant");
    private static final List<String> HESSIANS = List.of("GPTQ", "OWQ", "SpQR", "QUIK");

    static MemoryNeed of(Job job, int chunkTokens) {
        ModelSpec spec = job.shape().spec();
        Map<Integer, Long> blocks = new HashMap<>();
        long largestLayer = 0;
        long widest = 0;
        for (PlannedRunLayer l : job.layers()) {
            blocks.merge(l.block(), l.weights(), Long::sum);
            largestLayer = Math.max(largestLayer, l.weights());
            widest = Math.max(widest, Math.max(l.in(), l.out()));
        }
        long block = blocks.values().stream().mapToLong(Long::longValue).max().orElse(0);
        boolean learning = job.run().methods().stream().anyMatch(m -> LEARNING.contains(m.name()));
        boolean hessian = job.target().isPresent() || job.run().methods().stream().anyMatch(m -> HESSIANS.contains(m.name()));
        boolean gram = job.run().methods().stream().anyMatch(m -> m.name().equals("Awq"));
        long longest = 1;
        long tokens = 0;
        long evaluated = 0;
        long flowing = 0;
        for (Evaluation e : job.run().evaluations()) {
            longest = Math.max(longest, e.seqLen());
            flowing = Math.max(flowing, e.tokens());
            evaluated += e.tokens() * spec.hiddenSize() * 4 * e.positions().size();
        }
        if (job.run().calibration().isPresent()) {
            tokens = job.run().calibration().get().tokens();
            longest = Math.max(longest, job.run().calibration().get().seqLen());
        } else if (job.config().calibration().isPresent()) {
            // a plan without the tokenizer
            tokens = (long) job.config().calibration().get().samples() * Math.max(1, job.config().calibration().get().seqLen());
        }
        // without data and evaluation one layer at a time is in memory, else a block
        boolean streamed = tokens == 0 && job.run().evaluations().isEmpty() && job.run().methods().stream().allMatch(m -> List.of("RTN", "HQQ").contains(m.name()));
        // panels of blocks, and what they decode to
        boolean gguf = job.targets().stream().anyMatch(t -> t.format().name().startsWith("gguf"));
        long together = hessian ? hessiansTogether(job) : 0;
        boolean experts = hessian && (together == 0 || job.target().isPresent()) && job.layers().stream().anyMatch(l -> l.role().isExpert());
        long atOnce = Math.min(Math.max(chunkTokens, longest), Math.max(flowing, tokens));
        int heads = spec.layers().stream().map(LayerSpec::attention).mapToInt(a -> a.heads()).max().orElse(1);
        // and no token flows through it
        long work = streamed ? 0 : atOnce * (6L * spec.hiddenSize() + 3 * widest) * 4 + heads * longest * longest * 4 + LOGITS;
        // 4 bytes float, 4 rounded, 1 of codes; learning: gradients, both moments of Adam, and a tape of the block
        long heap = (streamed ? largestLayer * 9 : block * 9) + (learning ? block * 24 : 0) + largestLayer * (gguf ? 16 : 12)
                + (hessian ? widest * widest * (job.target().isPresent() || !inPlace(job) ? 28 : 20) : 0) + together
                + (gram ? widest * widest * 4 : 0)
                // and the Gram matrices of a whole block, for its sensitivity
                + (job.target().isPresent() ? (3L * spec.hiddenSize() * spec.hiddenSize() + widest * widest) * 4 : 0) + work;
        long states = 2 * tokens * spec.hiddenSize() * 4 + evaluated + tokens * (keptInputs(job) + keptPlaces(job)) * 4;
        long kept = Math.max(HeapKeeper.LEAST, heap + heap / 4);
        long overhead = !streamed ? OVERHEAD_OF_PASSES + (job.run().evaluations().isEmpty() ? 0 : OVERHEAD_OF_EVALUATIONS)
                : kept > HeapKeeper.LEAST ? OVERHEAD + OVERHEAD_OF_LARGE_LAYERS : OVERHEAD;
        return new MemoryNeed(kept, experts, (streamed ? largestLayer : block) * 2 + stacks(job), states, overhead);
    }

    /**
     * Whether every Hessian is factored where it lies: 4 bytes of its sum, 4 of what is damped and becomes the factor, 8 in which it is computed, 4 for another
     * order of columns.
     */
    private static boolean inPlace(Job job) {
        return job.run().methods().stream().filter(m -> HESSIANS.contains(m.name())).allMatch(m -> m.name().equals("GPTQ") || m.name().equals("OWQ"));
    }

    /** Features of a token that wait outside the heap for a stage that looks at the inputs of layers, those of a whole block together; 0 where none does. */
    private static long keptInputs(Job job) {
        boolean kept = job.run().schemes().hasStaticActivations() || stages(job).anyMatch(s -> s.needs().what().contains(Need.INPUTS));
        long most = 0;
        for (BlockLayout b : kept ? job.shape().blocks() : List.<BlockLayout>of()) {
            Map<String, Integer> widths = new HashMap<>();
            b.modules().forEach(m -> m.parts().forEach(p -> widths.put(p.linear(), m.in())));
            int chosen = job.shape().spec().layers().get(b.index()).feedForward().experts().map(FeedForwardSpec.Experts::perToken).orElse(1);
            long sum = 0;
            for (Subset s : b.subsets()) {
                int width = widths.getOrDefault(s.input(), 0);
                boolean experts = s.layers().stream().anyMatch(n -> n.contains("experts."));
                // an expert's last layer is a subset of its own, and a token comes to a few of them
                sum += !experts ? width : s.inspect() == Subset.Inspect.MLP ? (1L + chosen) * width : (long) width * chosen / Math.max(1, experts(b));
            }
            most = Math.max(most, sum);
        }
        return most;
    }

    /** Features of a token that wait where a block is run again subset by subset: what attention mixed or added, and the input of a dense feed-forward half's last layer. */
    private static long keptPlaces(Job job) {
        if (!job.run().passesGoOn() || stages(job).noneMatch(Stage::runsBlockAgain)) {
            return 0;
        }
        int hidden = job.shape().spec().hiddenSize();
        return job.layers().stream().filter(l -> l.role() == Role.O || l.role() == Role.DOWN).mapToLong(l -> hidden + l.in()).max().orElse(0);
    }

    private static Stream<Stage> stages(Job job) {
        return job.run().methods().stream().flatMap(m -> Methods.named(m.name()).recipe(job.run().options(m)).stream());
    }

    private static int experts(BlockLayout b) {
        return b.modules().stream().flatMap(m -> m.parts().stream()).mapToInt(p -> p.expert() + 1).max().orElse(0);
    }

    /**
     * Hessians of the widest block where a method wants those of all of its layers from one pass (true_sequential: False): one for each input that layers
     * share, for each expert; 0 where they are gathered subset by subset.
     */
    private static long hessiansTogether(Job job) {
        boolean all = job.run().methods().stream().filter(m -> HESSIANS.contains(m.name()) && !m.name().equals("QUIK"))
                .anyMatch(m -> !job.run().options(m).flag("true_sequential", !m.name().equals("GPTQ") || job.run().quantOut()));
        long most = 0;
        for (BlockLayout b : all ? job.shape().blocks() : List.<BlockLayout>of()) {
            Map<String, Integer> experts = new HashMap<>();
            Map<String, Integer> widths = new HashMap<>();
            b.modules().forEach(m -> m.parts().forEach(p -> {
                experts.put(p.linear(), p.expert());
                widths.put(p.linear(), m.in());
            }));
            long sum = 0;
            for (Subset s : b.subsets()) {
                Map<Integer, Integer> inputs = new HashMap<>();
                s.layers().forEach(l -> inputs.put(experts.get(l), widths.get(l)));
                for (long in : inputs.values()) {
                    sum += 4 * in * (in + ROUTED_ROWS);
                }
            }
            most = Math.max(most, sum);
        }
        return most;
    }

    /** Experts that share a tensor wait outside the heap until the block's last one is there, in each directory of safetensors. */
    private static long stacks(Job job) {
        long sum = 0;
        for (Outputs.Target t : job.targets()) {
            Map<Integer, Long> blocks = new HashMap<>();
            job.layers().stream().filter(PlannedRunLayer::stacked)
                    .forEach(l -> blocks.merge(l.block(), (long) (l.weights() * (t.format().holdsCodes() ? job.bits(l) : 16) / 8), Long::sum));
            sum += t.format().name().startsWith("gguf") ? 0 : blocks.values().stream().mapToLong(Long::longValue).max().orElse(0);
        }
        return sum;
    }

    /** With this much of the states in memory. */
    long peak(long stateBytes) {
        // what comes between two looks at the heap
        return heap + heap / 16 + (expertHessians ? stateBytes / 4 : 0) + mapped + overhead + Math.min(states, stateBytes);
    }

    /** "6g", "512m", "800000k" or bytes; throws BadInput (USAGE). */
    static long parse(String size) {
        String s = size.strip().toLowerCase(Locale.ROOT);
        long unit = s.endsWith("g") ? 1L << 30 : s.endsWith("m") ? 1L << 20 : s.endsWith("k") ? 1L << 10 : 1;
        try {
            return Math.multiplyExact(Long.parseLong(unit == 1 ? s : s.substring(0, s.length() - 1)), unit);
        } catch (NumberFormatException | ArithmeticException e) {
            throw BadInput.of(BadInput.Common.USAGE, "--memory is '%s'; a size like 6g or 800m is expected", size);
        }
    }

    /** The heap that the launcher gives the virtual machine under a bound: half of a small one, three quarters of a large one. */
    private static long heapUnder(long bound) {
        return bound < 2L << 30 ? bound / 2 : bound / 4 * 3;
    }

    /**
     * The run's memory under a bound: as many tokens at once as fit, and what is left for states. Throws BadInput (ENVIRONMENT) with the bound that
     * would do when a block does not fit.
     */
    static RunConfig.Memory under(Job job, long bound) {
        for (int chunk = RunConfig.Memory.DEFAULT.chunkTokens(); chunk >= 256; chunk /= 2) {
            Optional<RunConfig.Memory> m = fits(of(job, chunk), bound, Math.min(heapUnder(bound), Runtime.getRuntime().maxMemory()), chunk);
            if (m.isPresent()) {
                return m.get();
            }
        }
        MemoryNeed least = of(job, 256);
        long enough = bound;
        while (fits(least, enough, heapUnder(enough), 256).isEmpty()) {
            enough += Math.clamp(enough / 16 >> 20, 16, 256) << 20;
        }
        if (enough == bound) {
            throw BadInput.of(BadInput.Common.ENVIRONMENT, "the virtual machine was started with a heap of at most %s, and the widest block needs %s of it; give -Xmx%dm, or start "
                    + "llmc4j by its launcher, which sizes the heap for --memory", Text.bytes(Runtime.getRuntime().maxMemory()), Text.bytes(least.heap), heapUnder(bound) >> 20);
        }
        throw BadInput.of(BadInput.Common.ENVIRONMENT, "the widest block does not fit --memory %s: it needs %s of heap, %s for its stored bytes and %s for the virtual machine; "
                + "--memory %dm would do", Text.bytes(bound), Text.bytes(least.heap), Text.bytes(least.mapped), Text.bytes(least.overhead), enough >> 20);
    }

    private static Optional<RunConfig.Memory> fits(MemoryNeed need, long bound, long heapLimit, int chunk) {
        long outside = bound - heapLimit - need.mapped - need.overhead;
        long states = need.expertHessians ? Math.min(outside, 4 * Math.max(0, heapLimit - need.heap)) : outside;
        return need.heap > heapLimit || states < Math.min(LEAST_STATES, need.states) ? Optional.empty()
                : Optional.of(new RunConfig.Memory(Math.max(states, LEAST_STATES / 64), chunk));
    }
}
