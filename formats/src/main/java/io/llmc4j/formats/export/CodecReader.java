package io.llmc4j.formats.export;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.hf.StoredModule;
import io.llmc4j.formats.hf.WeightReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A {@link WeightReader} whose modules a {@link WeightCodec} decodes. */
public abstract class CodecReader implements WeightReader {

    private final List<String> weightParts;
    private final List<String> otherParts;

    /**
     * @param weightParts last parts of the names of the tensors that a weight may consist of
     * @param otherParts  of tensors that belong to a quantized module and not to its weight (activation scales)
     */
    protected CodecReader(List<String> weightParts, List<String> otherParts) {
        this.weightParts = List.copyOf(weightParts);
        this.otherParts = List.copyOf(otherParts);
    }

    /** The codec of a module that is stored quantized. */
    protected abstract WeightCodec codec(StoredModule m);

    @Override
    public List<String> tensors(StoredModule m) {
        List<String> out = new ArrayList<>();
        weightParts.stream().filter(s -> m.find(s).isPresent()).map(m::tensorName).forEach(out::add);
        otherParts.stream().filter(s -> m.find(s).isPresent()).map(m::tensorName).forEach(out::add);
        return out;
    }

    @Override
    public Matrix weight(StoredModule m) {
        return decode(m).dequantize();
    }

    @Override
    public Optional<QuantizedMatrix> codes(StoredModule m) {
        return Optional.of(decode(m));
    }

    @Override
    public Decoded decoded(StoredModule m) {
        QuantizedMatrix q = decode(m);
        return new Decoded(Optional.of(q), q.dequantize());
    }

    @Override
    public Optional<Float> inputScale(StoredModule m) {
        if (!otherParts.contains("input_scale") || m.find("input_scale").isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(new ModuleTensors(m.name(), m.store()::find).floats("input_scale", 1)[0]);
    }

    /** For formats that store zero points [groups, …]: the group size that the configuration says against theirs. */
    protected static Optional<String> groups(StoredModule m, int says) {
        long groups = m.find("qzeros").filter(t -> t.shape().rank() == 2).map(t -> t.shape().dim(0)).orElse(0L);
        int in = m.layout().in();
        int expected = says <= 0 || says >= in ? in : says;
        if (groups == 0 || in % groups != 0 || in / groups == expected) {
            return Optional.empty();
        }
        return Optional.of("group_size " + says + ", the scales are of groups of " + in / groups);
    }

    private QuantizedMatrix decode(StoredModule m) {
        QuantizedMatrix q = codec(m).decode(new ModuleTensors(m.name(), m.store()::find));
        if (q.rows() != m.layout().out() || q.cols() != m.layout().in()) {
            throw BadInput.of(BadInput.Common.FORMAT, "%s: its tensors hold a weight [%d, %d], the architecture needs [%d, %d]", m.name(), q.rows(), q.cols(),
                    m.layout().out(), m.layout().in());
        }
        return q;
    }
}
