package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.formats.hf.BlockBuilder;
import io.llmc4j.formats.hf.BlockBuilder.Piece;
import io.llmc4j.formats.hf.RowMap;

/** The ways in which checkpoints put q, k, v (or gate and up) into one tensor. */
final class Fused {

    private Fused() {
    }

    /** All queries, all keys, all values. */
    static void thirds(BlockBuilder b, String name, Dims d) {
        b.fused(name, d.hidden(), new Piece("q", Role.Q, RowMap.contiguous(0, d.queries())),
                new Piece("k", Role.K, RowMap.contiguous(d.queries(), d.keys())),
                new Piece("v", Role.V, RowMap.contiguous(d.queries() + d.keys(), d.keys())));
    }

    /** Head by head: its query, key and value. */
    static void triples(BlockBuilder b, String name, Dims d) {
        int h = d.headDim();
        b.fused(name, d.hidden(), new Piece("q", Role.Q, RowMap.strided(0, d.heads(), h, 3 * h)),
                new Piece("k", Role.K, RowMap.strided(h, d.heads(), h, 3 * h)), new Piece("v", Role.V, RowMap.strided(2 * h, d.heads(), h, 3 * h)));
    }

    /** Group by group: the queries that share a key, that key, that value. */
    static void groups(BlockBuilder b, String name, Dims d) {
        int h = d.headDim();
        int queries = d.heads() / d.kvHeads() * h;
        int stride = queries + 2 * h;
        b.fused(name, d.hidden(), new Piece("q", Role.Q, RowMap.strided(0, d.kvHeads(), queries, stride)),
                new Piece("k", Role.K, RowMap.strided(queries, d.kvHeads(), h, stride)),
                new Piece("v", Role.V, RowMap.strided(queries + h, d.kvHeads(), h, stride)));
    }

    /** The gate's rows, then the up branch's. */
    static void gateUp(BlockBuilder b, String name, int hidden, int intermediate) {
        b.fused(name, hidden, new Piece("gate", Role.GATE, RowMap.contiguous(0, intermediate)),
                new Piece("up", Role.UP, RowMap.contiguous(intermediate, intermediate)));
    }

    static void attentionSubsets(BlockBuilder b, String norm, String qkv, String o) {
        b.afterNorm(norm, Subset.Inspect.ATTENTION, false, qkv + "[q]", qkv + "[k]", qkv + "[v]");
        b.afterLinear(qkv + "[v]", false, o);
    }

    static void gateUpSubsets(BlockBuilder b, String norm, String gateUp, String down) {
        b.afterNorm(norm, Subset.Inspect.MLP, true, gateUp + "[gate]", gateUp + "[up]");
        b.afterLinear(gateUp + "[up]", true, down);
    }
}
