package io.llmc4j.tornado.device;

import io.llmc4j.tornado.Grid;
import java.util.List;
import java.util.function.Supplier;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * A kernel, and launches whose results are known from the engine's scalar definitions.
 *
 * @param device puts the kernel into a graph
 * @param java   runs one work item of its Java body
 */
record KernelCheck(String what, Program.Tasks device, Body java, List<Trial> trials) {

    /** One work item. */
    interface Body {
        void item(KernelContext context, IntArray sizes, IntArray done);
    }

    /**
     * One launch.
     *
     * @param prepare    fills the arrays, outputs with something that is no result
     * @param difference the first difference from the definition; empty when there is none
     */
    record Trial(String label, Grid grid, int[] sizes, Runnable prepare, Supplier<String> difference) { }
}
