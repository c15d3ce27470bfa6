package io.llmc4j.formats.audit;

import java.util.List;

/**
 * What both models say to the same text.
 *
 * @param data          name and hash of the text
 * @param perplexity    of the original
 * @param quantized     perplexity of the quantized model
 * @param agreement     share of positions at which both have the same most likely token
 * @param divergence    mean Kullback-Leibler divergence of the quantized model's next-token distribution from the original's, in nats
 * @param blockErrors   relative difference of the hidden states after each block, ||h' - h|| / ||h||
 * @param parting       the first block after which the states part; -1 when they nowhere do
 */
public record DataAudit(String data, int windows, int seqLen, double perplexity, double quantized, double agreement, double divergence,
                        List<Double> blockErrors, int parting) {

    public DataAudit {
        blockErrors = List.copyOf(blockErrors);
    }
}
