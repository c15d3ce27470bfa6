package io.llmc4j.formats.hf;

import java.util.Set;

/** Fields of config.json that no family's forward pass depends on: names, training, generation, how a library runs. */
final class HarmlessFields {

    private static final Set<String> NAMES = Set.of(
            "architectures", "model_type", "_name_or_path", "name_or_path", "auto_map", "transformers_version", "torch_dtype", "dtype", "_commit_hash",
            "tokenizer_class", "custom_pipelines", "onnx", "transformers.js_config", "language", "license", "unsloth_version", "unsloth_fixed",
            // token ids
            "bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "sep_token_id", "cls_token_id", "mask_token_id", "decoder_start_token_id",
            "forced_bos_token_id", "forced_eos_token_id", "eod_token_id", "im_start_id", "im_end_id", "suppress_tokens", "begin_suppress_tokens",
            // training
            "initializer_range", "initializer_factor", "init_std", "init_method", "layerdrop", "gradient_checkpointing", "router_aux_loss_coef",
            "aux_loss_alpha", "seq_aux", "output_router_logits", "router_jitter_noise", "router_z_loss_coef", "pretraining_tp", "ep_size", "use_aux_loss",
            "save_step", "offset_alibi", "skip_bias_add", "seed", "attention_probs_dropout_prob", "training_sequence_length", "pretraining_pp",
            // how a library runs it
            "use_cache", "_attn_implementation", "attn_implementation", "_attn_implementation_autoset", "use_flash_attn", "use_flash_attention",
            "_flash_attn_2_enabled", "cache_implementation", "torchscript", "output_attentions", "output_hidden_states", "return_dict", "use_return_dict",
            "return_dict_in_generate", "output_scores", "is_encoder_decoder", "is_decoder", "add_cross_attention", "cross_attention_hidden_size",
            "chunk_size_feed_forward", "pruned_heads", "use_bfloat16", "bf16", "fp16", "fp32", "tf_legacy_loss", "slow_but_exact", "masked_softmax_fusion",
            "bias_dropout_fusion", "gradient_checkpointing_kwargs", "attention_softmax_in_fp32", "scale_attention_softmax_in_fp32",
            "inference_runner", "pre_allocate_kv_cache", "max_batch_size", "max_sequence_length", "keys_to_ignore_at_inference", "use_cache_quantization",
            "use_cache_kernel", "use_dynamic_ntk_cache", "softmax_in_fp32", "tie_encoder_decoder",
            // generation
            "temperature", "top_k", "top_p", "typical_p", "do_sample", "max_length", "min_length", "num_beams", "num_beam_groups", "num_return_sequences",
            "repetition_penalty", "length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "diversity_penalty", "early_stopping",
            "bad_words_ids", "exponential_decay_length_penalty", "remove_invalid_values", "max_new_tokens",
            // other heads
            "id2label", "label2id", "num_labels", "problem_type", "finetuning_task", "task_specific_params", "prefix", "classifier_dropout",
            "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj",
            // read by the directory, not by the family
            "tie_word_embeddings", "quantization_config", "compression_config", "quantization",
            "quant_method");

    private HarmlessFields() {
    }

    static boolean contains(String name) {
        return NAMES.contains(name) || name.endsWith("dropout") || name.endsWith("_pdrop") || name.endsWith("dropout_prob") || name.endsWith("dropout_rate");
    }
}
