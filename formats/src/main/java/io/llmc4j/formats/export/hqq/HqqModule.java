package io.llmc4j.formats.export.hqq;

import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.export.ModuleTensors;
import io.llmc4j.formats.export.StoredScales;
import io.llmc4j.formats.export.UnsignedCodes;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * One module of HQQ. A weight [out, in] is seen as [out * in / G, G] (axis 1: a group is a row) or [G, out * in / G] (axis 0: a group is a column);
 * value = (code - zero) * scale with a real-valued zero.
 *
 * @param rows  of the weight
 * @param codes as the weight is seen, row-major, which is the weight's own order
 */
record HqqModule(int rows, int cols, int bits, int groupSize, int axis, byte[] codes, float[] scales, float[] zeros) implements java.io.Serializable {

    static final Set<Integer> WIDTHS = Set.of(1, 2, 3, 4, 8);
    /** Tensors of a module. */
    static final List<String> PARTS = List.of("W_q", "scale", "zero", "nbits", "group_size", "shape", "axis", "packing", "unpack_view_dtype", "view_as_float",
            "quant_scale", "quant_zero", "compute_dtype", "offload_meta", "encoded_state_dict", "stores_quant_config", "channel_wise", "optimize", "round_zero");

    /** Empty when HQQ can hold it. */
    static String whyNot(QuantizedMatrix q) {
        Granularity.Kind kind = q.scheme().granularity().kind();
        if (!q.scheme().isInteger() || !WIDTHS.contains(q.scheme().bits())) {
            return "HQQ holds integers of 1, 2, 3, 4 and 8 bits, not " + q.scheme().format();
        }
        if (kind != Granularity.Kind.PER_GROUP && kind != Granularity.Kind.PER_CHANNEL) {
            return "HQQ holds scales per group or channel, not " + kind;
        }
        if (q.columnGroup().length != 0) {
            return "HQQ has no place for the order of columns (act-order)";
        }
        int groups = q.scales().length;
        return q.scheme().bits() != 3 && groups % Slabs.slabs(q.scheme().bits()) != 0
                ? groups + " groups cannot be packed by " + Slabs.slabs(q.scheme().bits()) : "";
    }

    static HqqModule of(QuantizedMatrix q) {
        QuantizedMatrix u = UnsignedCodes.of(q);
        return new HqqModule(q.rows(), q.cols(), q.scheme().bits(), q.cols() * q.rows() / q.scales().length, 1, u.codes(),
                StoredScales.rounded(u.scales(), DType.F16), StoredScales.rounded(u.zeros(), DType.F16));
    }

    private int seenRows() {
        return axis == 1 ? codes.length / groupSize : groupSize;
    }

    private int seenCols() {
        return codes.length / seenRows();
    }

    Map<String, Tensor> encode(boolean roundZero, Arena arena) {
        Map<String, Tensor> t = new LinkedHashMap<>();
        int[] words = Slabs.pack(seenRows(), seenCols(), bits, codes);
        Shape packed = new Shape(Slabs.packedRows(seenRows(), bits), seenCols());
        if (bits == 3) {
            t.put("W_q", Tensors.fromInts(packed, words, arena));
        } else {
            byte[] raw = new byte[words.length];
            for (int i = 0; i < raw.length; i++) {
                raw[i] = (byte) words[i];
            }
            t.put("W_q", Tensors.fromBytes(DType.U8, packed, raw, arena));
        }
        Shape grid = axis == 1 ? new Shape(scales.length, 1) : new Shape(1, scales.length);
        t.put("scale", Tensors.fromFloats(DType.F16, grid, scales, arena));
        t.put("zero", Tensors.fromFloats(DType.F16, grid, zeros, arena));
        t.put("nbits", number(bits, arena));
        t.put("group_size", number(groupSize, arena));
        t.put("shape", Tensors.fromLongs(DType.I64, new Shape(2), new long[]{rows, cols}, arena));
        t.put("axis", number(axis, arena));
        t.put("packing", text(bits == 3 ? "3bit_32" : bits + "bit_u8", arena));
        t.put("unpack_view_dtype", text(bits == 3 ? "torch.int32" : "torch.uint8", arena));
        t.put("compute_dtype", text("torch.float16", arena));
        for (String flag : List.of("view_as_float", "quant_scale", "quant_zero", "offload_meta")) {
            t.put(flag, flag(false, arena));
        }
        for (String flag : List.of("encoded_state_dict", "stores_quant_config", "channel_wise", "optimize")) {
            t.put(flag, flag(true, arena));
        }
        t.put("round_zero", flag(roundZero, arena));
        return t;
    }

    private static Tensor number(int v, Arena arena) {
        return Tensors.fromInts(new Shape(), new int[]{v}, arena);
    }

    private static Tensor flag(boolean v, Arena arena) {
        return Tensors.fromBytes(DType.U8, new Shape(), new byte[]{(byte) (v ? 1 : 0)}, arena);
    }

    private static Tensor text(String s, Arena arena) {
        byte[] b = s.getBytes(StandardCharsets.US_ASCII);
        return Tensors.fromBytes(DType.U8, new Shape(b.length), b, arena);
    }

    /** Throws BadInput (FORMAT) when the tensors do not fit together. */
    static HqqModule decode(ModuleTensors t) {
        long[] shape = Tensors.toLongs(t.shaped("shape", new Shape(2), DType.I64, DType.I32));
        int bits = scalar(t, "nbits");
        int axis = scalar(t, "axis");
        if (!WIDTHS.contains(bits) || axis != 0 && axis != 1) {
            throw t.wrong("nbits", "is %d on axis %d; read here: 1, 2, 3, 4 and 8 bits on axis 0 or 1", bits, axis);
        }
        if (shape[0] <= 0 || shape[1] <= 0 || Math.multiplyHigh(shape[0], shape[1]) != 0 || shape[0] * shape[1] > Integer.MAX_VALUE - 8) {
            throw t.wrong("shape", "is [%d, %d]", shape[0], shape[1]);
        }
        int rows = (int) shape[0];
        int cols = (int) shape[1];
        int all = rows * cols;
        int group = t.has("group_size") && t.get("group_size").dtype() == DType.I32 ? scalar(t, "group_size") : axis == 1 ? cols : rows;
        if (group <= 0 || all % group != 0) {
            throw t.wrong("group_size", "is %d for %d weights", group, all);
        }
        for (String nested : List.of("quant_scale", "quant_zero")) {
            if (t.has(nested) && scalar(t, nested) != 0) {
                throw t.wrong(nested, "says that scales or zeros are quantized themselves, which is not read here");
            }
        }
        int seenRows = axis == 1 ? all / group : group;
        int seenCols = all / seenRows;
        Tensor packed = t.shaped("W_q", new Shape(Slabs.packedRows(seenRows, bits), seenCols), DType.U8, DType.I32);
        if (packed.dtype() != (bits == 3 ? DType.I32 : DType.U8)) {
            throw t.wrong("W_q", "is %s with %d bits", packed.dtype(), bits);
        }
        byte[] codes = Slabs.unpack(seenRows, seenCols, bits, Tensors.toInts(packed));
        return new HqqModule(rows, cols, bits, group, axis, codes, t.floats("scale", all / group), t.floats("zero", all / group));
    }

    private static int scalar(ModuleTensors t, String name) {
        Tensor v = t.get(name, DType.I32, DType.I64, DType.U8, DType.BOOL);
        if (v.elements() != 1) {
            throw t.wrong(name, "has shape %s, expected one number", v.shape());
        }
        return (int) Tensors.getLong(v, 0);
    }

    Matrix values() {
        Matrix m = new Matrix(rows, cols);
        int seenCols = seenCols();
        for (int i = 0; i < codes.length; i++) {
            int g = axis == 1 ? i / groupSize : i % seenCols;
            m.data()[i] = ((codes[i] & 0xff) - zeros[g]) * scales[g];
        }
        return m;
    }

    /** Where groups are stretches of rows. */
    Optional<QuantizedMatrix> matrix() {
        if (axis != 1 || cols % groupSize != 0) {
            return Optional.empty();
        }
        QuantScheme scheme = QuantScheme.integer(bits, false, groupSize == cols ? Granularity.PER_CHANNEL : Granularity.perGroup(groupSize)).withRoundZeroPoint(false);
        return Optional.of(new QuantizedMatrix(scheme, rows, cols, codes, scales, zeros, new int[0], 1f));
    }
}
