package io.llmc4j.laws;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.pipeline.BitBudget;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/** The knapsack of widths against every possible selection. */
class BitBudgetLaws {

    private static List<BitBudget.Item> items(int n, int choices, Random r) {
        List<BitBudget.Item> out = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            double size = 1 + r.nextInt(5);
            double[] cost = new double[choices];
            double[] error = new double[choices];
            for (int c = 0; c < choices; c++) {
                cost[c] = size * (c + 2);
                // Errors fall with the width most of the time, as measured ones do.
                error[c] = r.nextDouble() * Math.pow(0.4, c);
            }
            out.add(new BitBudget.Item(cost, error));
        }
        return out;
    }

    private static double total(List<BitBudget.Item> items, int[] chosen, boolean cost) {
        double sum = 0;
        for (int i = 0; i < chosen.length; i++) {
            sum += cost ? items.get(i).cost()[chosen[i]] : items.get(i).error()[chosen[i]];
        }
        return sum;
    }

    /** The least error of all selections within a budget. */
    private static double best(List<BitBudget.Item> items, int at, double budget) {
        if (at == items.size()) {
            return 0;
        }
        double least = Double.POSITIVE_INFINITY;
        for (int c = 0; c < items.get(at).cost().length; c++) {
            if (items.get(at).cost()[c] <= budget + 1e-9) {
                least = Math.min(least, items.get(at).error()[c] + best(items, at + 1, budget - items.get(at).cost()[c]));
            }
        }
        return least;
    }

    @Property(tries = 200)
    void staysWithinAndIsNearTheBest(@ForAll @IntRange(min = 1, max = 6) int n, @ForAll @IntRange(min = 2, max = 4) int choices, @ForAll long seed) {
        Random r = new Random(seed);
        List<BitBudget.Item> items = items(n, choices, r);
        double least = items.stream().mapToDouble(i -> i.cost()[0]).sum();
        double most = items.stream().mapToDouble(i -> i.cost()[choices - 1]).sum();
        double budget = least + r.nextDouble() * (most - least);
        int[] chosen = BitBudget.choose(items, budget);
        assertTrue(total(items, chosen, true) <= budget + 1e-9);
        // One item's steps may not fit: no more than the largest single error can be missing.
        double slack = items.stream().mapToDouble(i -> i.error()[0]).max().orElse(0);
        assertTrue(total(items, chosen, false) <= best(items, 0, budget) + slack + 1e-9);
        assertTrue(total(items, BitBudget.choose(items, most), false) <= best(items, 0, most) + 1e-9, "with room for everything it is the best");
    }

    @Property(tries = 100)
    void aLargerBudgetNeverHurtsMuch(@ForAll long seed) {
        Random r = new Random(seed);
        List<BitBudget.Item> items = items(30, 5, r);
        double least = items.stream().mapToDouble(i -> i.cost()[0]).sum();
        double before = Double.POSITIVE_INFINITY;
        for (double share = 0; share <= 1; share += 0.1) {
            double error = total(items, BitBudget.choose(items, least * (1 + 2 * share)), false);
            double slack = items.stream().mapToDouble(i -> i.error()[0]).max().orElse(0);
            assertTrue(error <= before + slack);
            before = error;
        }
    }
}
