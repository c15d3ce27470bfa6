package io.llmc4j.engine.pipeline;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * A multiple-choice knapsack: each item takes one of its choices, all together within a budget, with the least total error.
 *
 * <p>Every item walks up the lower convex hull of its (cost, error) points; of all next steps, the one that saves most error per cost is taken while it fits.
 * Whatever the budget, no other selection that costs at most what the steps on the hull cost has a smaller error. What is left of the budget goes to
 * the best single steps that still fit.
 */
public final class BitBudget {

    /** @param cost rising from choice to choice; error need not fall */
    public record Item(double[] cost, double[] error) { }

    private record Step(int item, int from, int to, double gain, double cost) {
        double rate() {
            return gain / cost;
        }
    }

    private BitBudget() {
    }

    /** The choice of each item. The cheapest choices must fit the budget. */
    public static int[] choose(List<Item> items, double budget) {
        int[] chosen = new int[items.size()];
        double spent = 0;
        List<Step> steps = new ArrayList<>();
        for (int i = 0; i < chosen.length; i++) {
            Item item = items.get(i);
            int[] hull = hull(item);
            chosen[i] = hull[0];
            spent += item.cost[hull[0]];
            for (int h = 1; h < hull.length; h++) {
                steps.add(step(i, item, hull[h - 1], hull[h]));
            }
        }
        // On a convex hull rates fall, so an item's steps keep their order; ties by item.
        steps.sort(Comparator.comparingDouble(Step::rate).reversed().thenComparingInt(Step::item).thenComparingInt(Step::to));
        boolean[] stopped = new boolean[chosen.length];
        for (Step s : steps) {
            if (!stopped[s.item] && spent + s.cost <= budget) {
                chosen[s.item] = s.to;
                spent += s.cost;
            } else {
                stopped[s.item] = true;
            }
        }
        fill(items, chosen, budget - spent);
        return chosen;
    }

    private static Step step(int i, Item item, int from, int to) {
        return new Step(i, from, to, item.error[from] - item.error[to], item.cost[to] - item.cost[from]);
    }

    /** Choices on the lower convex hull, by rising cost, as far as errors fall. The first is the cheapest. */
    private static int[] hull(Item item) {
        int[] h = new int[item.cost.length];
        int n = 0;
        for (int c = 0; c < item.cost.length; c++) {
            if (n > 0 && item.error[c] >= item.error[h[n - 1]]) {
                continue;
            }
            while (n > 1 && step(0, item, h[n - 2], h[n - 1]).rate() <= step(0, item, h[n - 1], c).rate()) {
                n--;
            }
            h[n++] = c;
        }
        return Arrays.copyOf(h, n);
    }

    private static void fill(List<Item> items, int[] chosen, double left) {
        double room = left;
        while (true) {
            Step best = null;
            for (int i = 0; i < chosen.length; i++) {
                for (int c = chosen[i] + 1; c < items.get(i).cost.length; c++) {
                    Step s = step(i, items.get(i), chosen[i], c);
                    if (s.gain > 0 && s.cost <= room && (best == null || s.rate() > best.rate())) {
                        best = s;
                    }
                }
            }
            if (best == null) {
                return;
            }
            chosen[best.item] = best.to;
            room -= best.cost;
        }
    }
}
