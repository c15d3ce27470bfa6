package io.llmc4j.tornado;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.device.DeviceMath;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * TornadoVM's properties, which it reads once, at its first touch: so mathematics is a choice of the process.
 *
 * <p>Strict: the definition of a product is fused multiply-adds, and TornadoVM writes {@code fma} (correctly rounded) for each sum of a product and an
 * addend that a kernel has; a difference of a product it leaves in two roundings. So its fusing stays on, kernels are written with that in mind, and
 * nothing else may touch a rounding: no relaxed flag, no contraction by the driver's compiler, divisions and roots correctly rounded.
 */
final class TornadoFlags {

    private static DeviceMath current;

    private TornadoFlags() {
    }

    static Map<String, String> of(DeviceMath math) {
        Map<String, String> p = new LinkedHashMap<>();
        // Without this, a kernel that does not build runs as sequential Java, and nobody is told.
        p.put("tornado.recover.bailout", "False");
        p.put("tornado.enable.fma", "True");
        if (math == DeviceMath.STRICT) {
            p.put("tornado.opencl.compiler.flags", "-w -cl-fp32-correctly-rounded-divide-sqrt");
            p.put("tornado.enable.fastMathOptimizations", "False");
            p.put("tornado.enable.mathOptimizations", "False");
            p.put("tornado.metal.fastmath", "False");
            p.put("tornado.cuda.compiler.flags", "--fmad=false");
        }
        return p;
    }

    /** Sets the properties; throws BadInput when TornadoVM has read others already. */
    static synchronized void apply(DeviceMath math) {
        if (current != null && current != math) {
            throw BadInput.of(BadInput.Common.USAGE, "this process has begun with %s mathematics on the device, and TornadoVM keeps it; start another for %s",
                    current.name().toLowerCase(java.util.Locale.ROOT), math.name().toLowerCase(java.util.Locale.ROOT));
        }
        if (current == null) {
            of(math).forEach(System::setProperty);
            current = math;
        }
    }
}
