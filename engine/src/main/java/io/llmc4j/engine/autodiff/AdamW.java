package io.llmc4j.engine.autodiff;

import java.util.ArrayList;
import java.util.List;

/**
 * Adam with decoupled or L2 weight decay (Kingma and Ba, arXiv 1412.6980; Loshchilov and Hutter, arXiv 1711.05101), betas 0.9 and 0.999, eps 1e-8,
 * bias corrections as the papers give them, arithmetic in the order of torch's single-tensor path.
 */
public final class AdamW {

    private static final double BETA1 = 0.9;
    private static final double BETA2 = 0.999;
    private static final double EPS = 1e-8;

    /** DECOUPLED shrinks the parameter (AdamW); L2 adds decay * parameter to the gradient (Adam). */
    public enum Decay { DECOUPLED, L2 }

    private final class Group {
        final List<Var> parameters;
        final double learningRate;
        final double decay;
        final Decay kind;
        final List<float[]> first = new ArrayList<>();
        final List<float[]> second = new ArrayList<>();

        Group(List<Var> parameters, double learningRate, double decay, Decay kind) {
            this.parameters = List.copyOf(parameters);
            this.learningRate = learningRate;
            this.decay = decay;
            this.kind = kind;
            for (Var p : parameters) {
                first.add(new float[p.value().data().length]);
                second.add(new float[p.value().data().length]);
            }
        }
    }

    private final List<Group> groups = new ArrayList<>();
    private int step;

    public AdamW group(List<Var> parameters, double learningRate, double decay, Decay kind) {
        groups.add(new Group(parameters, learningRate, decay, kind));
        return this;
    }

    public void zeroGradients() {
        for (Group g : groups) {
            g.parameters.forEach(Var::zeroGradient);
        }
    }

    /** Whether every gradient is finite; LLMC's loss scaler skips the step when one is not. */
    public boolean gradientsFinite() {
        for (Group g : groups) {
            for (Var p : g.parameters) {
                for (float v : p.gradient().data()) {
                    if (!Float.isFinite(v)) {
                        return false;
                    }
                }
            }
        }
        return true;
    }

    /** One update of every parameter from its gradient. */
    public void step() {
        step++;
        double correction1 = 1 - StrictMath.pow(BETA1, step);
        double correction2 = StrictMath.sqrt(1 - StrictMath.pow(BETA2, step));
        for (Group g : groups) {
            float size = (float) (g.learningRate / correction1);
            for (int i = 0; i < g.parameters.size(); i++) {
                float[] p = g.parameters.get(i).value().data();
                float[] d = g.parameters.get(i).gradient().data();
                float[] m = g.first.get(i);
                float[] v = g.second.get(i);
                float shrink = (float) (1 - g.learningRate * g.decay);
                boolean decoupled = g.kind == Decay.DECOUPLED;
                for (int j = 0; j < p.length; j++) {
                    float gradient = decoupled || g.decay == 0 ? d[j] : d[j] + (float) g.decay * p[j];
                    float value = decoupled && g.decay != 0 ? p[j] * shrink : p[j];
                    m[j] = m[j] + (gradient - m[j]) * (float) (1 - BETA1);
                    v[j] = v[j] * (float) BETA2 + (float) (1 - BETA2) * gradient * gradient;
                    float denominator = (float) Math.sqrt(v[j]) / (float) correction2 + (float) EPS;
                    p[j] = value - size * (m[j] / denominator);
                }
            }
        }
    }
}
