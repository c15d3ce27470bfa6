package io.llmc4j.engine.method;

import java.util.List;

/** Round to nearest (spec 3.1): ranges from the weights at hand, no optimisation. The recipe is empty: that is what the fold does by itself. */
final class Rtn implements Method {

    @Override
    public String name() {
        return "RTN";
    }

    @Override
    public MethodInfo info() {
        return new MethodInfo("every weight to the nearest code of its range", "", MethodInfo.Data.STATIC_ACTIVATIONS);
    }

    @Override
    public List<Stage> recipe(MethodOptions options) {
        return List.of();
    }
}
