package io.llmc4j.runs;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.pipeline.ModelSource;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;

/** The sample model with outlier channels: the same function, since every power of two put in is taken out again by the next layer. */
record OutlierModel(ModelSource model, JsonNode outliers) implements ModelSource {

    static OutlierModel of(ModelSource model) {
        try (InputStream in = OutlierModel.class.getResourceAsStream("/outliers/outliers.json")) {
            return new OutlierModel(model, new ObjectMapper().readTree(in));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public ModelSpec spec() {
        return model.spec();
    }

    @Override
    public ModelEnds ends() {
        return model.ends();
    }

    @Override
    public String blockPrefix(int index) {
        return model.blockPrefix(index);
    }

    @Override
    public void close() {
        model.close();
    }

    @Override
    public Block block(int index) {
        Block b = model.block(index);
        JsonNode layer = outliers.get("layers").get(index);
        int headDim = b.spec().attention().headDim();
        int group = b.spec().attention().heads() / b.spec().attention().kvHeads();
        for (int i = 0; i < outliers.get("hidden_channels").size(); i++) {
            int c = outliers.get("hidden_channels").get(i).asInt();
            float s = (float) outliers.get("hidden_scales").get(i).asDouble();
            b.norm(NormSlot.ATTENTION_INPUT).orElseThrow().weight()[c] *= s;
            b.norm(NormSlot.MLP_INPUT).orElseThrow().weight()[c] *= s;
            for (Role r : new Role[] {Role.Q, Role.K, Role.V, Role.GATE, Role.UP}) {
                column(b.linear(r).orElseThrow(), c, 1 / s);
            }
        }
        for (int i = 0; i < layer.get("up_channels").size(); i++) {
            int c = layer.get("up_channels").get(i).asInt();
            float s = (float) layer.get("up_scales").get(i).asDouble();
            row(b.linear(Role.UP).orElseThrow(), c, s);
            column(b.linear(Role.DOWN).orElseThrow(), c, 1 / s);
        }
        for (JsonNode v : layer.get("v")) {
            int head = v.get(0).asInt();
            int feature = v.get(1).asInt();
            float s = (float) v.get(2).asDouble();
            row(b.linear(Role.V).orElseThrow(), head * headDim + feature, s);
            for (int h = head * group; h < (head + 1) * group; h++) {
                column(b.linear(Role.O).orElseThrow(), h * headDim + feature, 1 / s);
            }
        }
        for (JsonNode k : layer.get("k_pairs")) {
            int head = k.get(0).asInt();
            float s = (float) k.get(2).asDouble();
            for (int feature : new int[] {k.get(1).asInt(), k.get(1).asInt() + headDim / 2}) {
                row(b.linear(Role.K).orElseThrow(), head * headDim + feature, s);
                for (int h = head * group; h < (head + 1) * group; h++) {
                    row(b.linear(Role.Q).orElseThrow(), h * headDim + feature, 1 / s);
                }
            }
        }
        return b;
    }

    private static void row(Linear l, int r, float by) {
        for (int c = 0; c < l.in(); c++) {
            l.weight().data()[r * l.in() + c] *= by;
        }
        l.weightChanged();
    }

    private static void column(Linear l, int c, float by) {
        for (int r = 0; r < l.out(); r++) {
            l.weight().data()[r * l.in() + c] *= by;
        }
        l.weightChanged();
    }
}
