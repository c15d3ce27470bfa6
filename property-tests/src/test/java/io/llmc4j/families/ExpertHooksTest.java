package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.hf.HfModel;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What hooks see of a mixture, and that weights come and go on demand. */
class ExpertHooksTest {

    private static final class Counting implements ForwardHooks {
        private final boolean all;
        private final Map<String, Integer> rows = new HashMap<>();

        Counting(boolean all) {
            this.all = all;
        }

        @Override
        public void linearInput(Linear layer, Matrix x, int batch, int tokens) {
            assertEquals(x.rows(), batch * tokens);
            assertEquals(layer.in(), x.cols());
            rows.merge(layer.name(), x.rows(), Integer::sum);
        }

        @Override
        public boolean allTokensToAllExperts() {
            return all;
        }
    }

    @Test
    void expertsSeeTheirTokensOrAll() {
        try (HfModel m = FamilyModels.open("mixtral")) {
            Decoder decoder = new Decoder(m.spec());
            int[][] ids = FamilyModels.ids("mixtral");
            Hidden in = decoder.embed(m.ends(), ids);
            Counting routed = new Counting(false);
            Counting all = new Counting(true);
            Matrix a = decoder.block(m.block(0), in, routed).data();
            Matrix b = decoder.block(m.block(0), in, all).data();
            assertArrayEquals(a.data(), b.data(), 1e-6f);
            int sum = 0;
            for (Linear l : m.block(0).linears()) {
                if (l.role() == Role.EXPERT_UP) {
                    sum += routed.rows.getOrDefault(l.name(), 0);
                    assertEquals(40, all.rows.get(l.name()));
                }
            }
            assertEquals(2 * 40, sum);
            assertEquals(40, routed.rows.get("block_sparse_moe.gate"));
        }
    }

    @Test
    void unchangedWeightsAreLetGoAndDecodedAgain() {
        try (HfModel m = FamilyModels.open("phi3")) {
            Block block = m.block(0);
            Linear q = block.linear("self_attn.qkv_proj[q]");
            Matrix first = q.weight();
            assertSame(first, q.weight());
            q.release();
            Matrix again = q.weight();
            assertNotSame(first, again);
            assertArrayEquals(first.data(), again.data());
            assertFalse(q.changed());
            again.data()[0] = 5;
            q.weightChanged();
            q.release();
            assertTrue(q.changed());
            assertEquals(5, q.weight().data()[0]);
        }
    }
}
