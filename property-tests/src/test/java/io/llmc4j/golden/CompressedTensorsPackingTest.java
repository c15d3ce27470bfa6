package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.NumberFormat.Float.Path;
import io.llmc4j.engine.quant.QuantParams;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.ScaleFormat;
import io.llmc4j.engine.quant.packing.CodeOffset;
import io.llmc4j.engine.quant.packing.DenseBits;
import io.llmc4j.engine.quant.packing.NibblePairs;
import io.llmc4j.engine.tensor.Matrix;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Layers of the compressed-tensors library: its bytes unpack and dequantize to its own numbers, and the same weights pack to its bytes. */
class CompressedTensorsPackingTest {

    private static final GoldenTensors GOLDEN = GoldenTensors.load("/golden/compressed-tensors/compressed.safetensors.gz");
    private static final JsonNode INDEX = GoldenTensors.json("/golden/compressed-tensors/index.json.gz");

    @Test
    void everyCase() {
        int n = 0;
        for (JsonNode c : INDEX) {
            String name = c.get("case").asText();
            Matrix w = input(name);
            switch (c.get("format").asText()) {
                case "pack-quantized" -> packed(name, w, c.get("args"));
                case "int-quantized", "float-quantized" -> plain(name, w, c.get("args"));
                case "nvfp4-pack-quantized" -> nvfp4(name, w);
                case "mxfp4-pack-quantized", "mxfp8-quantized" -> microscaling(name, w);
                default -> throw new IllegalStateException(name);
            }
            n++;
        }
        assertEquals(25, n);
    }

    private static void packed(String name, Matrix w, JsonNode args) {
        int bits = args.get("num_bits").asInt();
        boolean symmetric = args.get("symmetric").asBoolean();
        int groups = GOLDEN.shape(name + "/weight_scale")[1];
        Granularity g = groups == 1 ? Granularity.PER_CHANNEL : Granularity.perGroup(w.cols() / groups);
        QuantScheme scheme = QuantScheme.integer(bits, symmetric, g).withFormat(NumberFormat.Int.of(bits, true));
        float[] zeros = new float[0];
        if (!symmetric) {
            // Zero points run down the rows, unsigned; the codes of this format are signed.
            byte[] unsigned = DenseBits.unpackColumns(w.rows(), groups, bits, GOLDEN.ints(name + "/weight_zero_point"));
            zeros = CodeOffset.toZeros(unsigned, 0, bits);
            for (int i = 0; i < zeros.length; i++) {
                zeros[i] -= 1 << (bits - 1);
            }
            byte[] again = new byte[zeros.length];
            for (int i = 0; i < again.length; i++) {
                again[i] = (byte) zeros[i];
            }
            assertArrayEquals(GOLDEN.ints(name + "/weight_zero_point"), DenseBits.packColumns(w.rows(), groups, bits, CodeOffset.toUnsigned(again, bits)), name);
        }
        QuantParams p = new QuantParams(GOLDEN.floats(name + "/weight_scale"), zeros);
        byte[] codes = CodeOffset.toSigned(DenseBits.unpackRows(w.rows(), w.cols(), bits, GOLDEN.ints(name + "/weight_packed")), bits);
        QuantizedMatrix read = new QuantizedMatrix(scheme, w.rows(), w.cols(), codes, p.scales(), p.zeros(), new int[0], 1f);
        assertEquals(List.of(), Bits.differences(name, read.dequantize().data(), GOLDEN.floats(name + "/decompressed")));
        QuantizedMatrix ours = Quantizer.of(scheme).quantize(w, p);
        assertArrayEquals(GOLDEN.ints(name + "/weight_packed"),
                DenseBits.packRows(w.rows(), w.cols(), bits, CodeOffset.toUnsigned(ours.codes(), bits)), name);
    }

    private static void plain(String name, Matrix w, JsonNode args) {
        boolean isFloat = args.get("type").asText().equals("float");
        Granularity g = switch (args.get("strategy").asText()) {
            case "tensor" -> Granularity.PER_TENSOR;
            case "channel" -> Granularity.PER_CHANNEL;
            case "block" -> Granularity.perBlock(args.get("block_structure").get(0).asInt(), args.get("block_structure").get(1).asInt());
            default -> throw new IllegalStateException(name);
        };
        QuantScheme scheme = isFloat ? QuantScheme.floating("e4m3", Path.NEAREST_EVEN, g) : QuantScheme.integer(8, true, g);
        QuantParams p = new QuantParams(GOLDEN.floats(name + "/weight_scale"));
        QuantizedMatrix read = new QuantizedMatrix(scheme, w.rows(), w.cols(), GOLDEN.bytesOf(name + "/weight"), p.scales(), p.zeros(), new int[0], 1f);
        assertEquals(List.of(), Bits.differences(name, read.dequantize().data(), GOLDEN.floats(name + "/decompressed")));
        assertArrayEquals(GOLDEN.bytesOf(name + "/weight"), Quantizer.of(scheme).quantize(w, p).codes(), name);
    }

    /** The library's reader works in bf16: its numbers are ours, rounded to that. */
    private static void nvfp4(String name, Matrix w) {
        QuantizedMatrix ours = Quantizer.of(QuantScheme.nvfp4()).quantize(w);
        assertEquals(GOLDEN.floats(name + "/weight_global_scale")[0], ours.tensorScale());
        assertArrayEquals(GOLDEN.bytesOf(name + "/weight_packed"), NibblePairs.pack(w.rows(), w.cols(), ours.codes()), name);
        byte[] scales = GOLDEN.bytesOf(name + "/weight_scale");
        for (int i = 0; i < scales.length; i++) {
            int field = scales[i] >> 3 & 15;
            float scale = field == 0 ? (scales[i] & 7) * 0x1p-9f : Math.scalb(1 + (scales[i] & 7) / 8f, field - 7);
            assertEquals(scale, ours.scales()[i], name + " scale " + i);
        }
        float[] values = ours.dequantize().data();
        for (int i = 0; i < values.length; i++) {
            int b = Float.floatToRawIntBits(values[i]);
            values[i] = Float.intBitsToFloat(b + 0x7fff + (b >>> 16 & 1) & 0xffff0000);
        }
        assertEquals(List.of(), Bits.differences(name, values, GOLDEN.floats(name + "/decompressed")));
    }

    private static void microscaling(String name, Matrix w) {
        boolean four = name.startsWith("mxfp4");
        QuantScheme scheme = QuantScheme.microscaling(four ? "e2m1" : "e4m3").withScaleFormat(ScaleFormat.E8M0_ROUNDED);
        QuantizedMatrix ours = Quantizer.of(scheme).quantize(w);
        byte[] scales = GOLDEN.bytesOf(name + "/weight_scale");
        for (int i = 0; i < scales.length; i++) {
            assertEquals(Math.scalb(1f, (scales[i] & 0xff) - 127), ours.scales()[i], name + " scale " + i);
        }
        assertArrayEquals(GOLDEN.bytesOf(name + (four ? "/weight_packed" : "/weight")),
                four ? NibblePairs.pack(w.rows(), w.cols(), ours.codes()) : ours.codes(), name);
        assertEquals(List.of(), Bits.differences(name, ours.dequantize().data(), GOLDEN.floats(name + "/decompressed")));
    }

    private static Matrix input(String name) {
        String tensor = "in/" + name.substring(name.indexOf('/') + 1);
        int[] shape = GOLDEN.shape(tensor);
        return new Matrix(shape[0], shape[1], GOLDEN.floats(tensor));
    }
}
