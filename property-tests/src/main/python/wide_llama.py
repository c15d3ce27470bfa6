"""A Llama of random weights that is wide enough for its arithmetic to decide how long a run takes, and a text as LLMC reads it.

    python3 property-tests/src/main/python/wide_llama.py cli/samples OUT

writes OUT/wide (hidden 1024, intermediate 2816, 16 heads, 2 blocks, bf16, the sample's tokenizer) and the sample's texts as the folders
OUT/calibration and OUT/evaluation. Eight channels of each norm are sixteen times as large, and the weights that read them as much smaller.
Needs torch, safetensors, datasets.
"""
import json
import os
import shutil
import sys

import torch
from datasets import Dataset
from safetensors.torch import save_file

HIDDEN, INNER, BLOCKS, HEADS, VOCABULARY = 1024, 2816, 2, 16, 4096


def weights():
    generator = torch.Generator().manual_seed(7)

    def normal(rows, cols, deviation):
        return torch.randn(rows, cols, generator=generator) * deviation

    tensors = {"model.embed_tokens.weight": normal(VOCABULARY, HIDDEN, 1.0)}
    large = torch.randperm(HIDDEN, generator=generator)[:8]
    norm = torch.ones(HIDDEN)
    norm[large] = 16.0
    for block in range(BLOCKS):
        at = f"model.layers.{block}."
        for name in ("q", "k", "v"):
            tensors[at + f"self_attn.{name}_proj.weight"] = normal(HIDDEN, HIDDEN, HIDDEN ** -0.5)
        tensors[at + "self_attn.o_proj.weight"] = normal(HIDDEN, HIDDEN, 0.5 * HIDDEN ** -0.5)
        for name in ("gate", "up"):
            tensors[at + f"mlp.{name}_proj.weight"] = normal(INNER, HIDDEN, HIDDEN ** -0.5)
        tensors[at + "mlp.down_proj.weight"] = normal(HIDDEN, INNER, 0.5 * INNER ** -0.5)
        for name in ("self_attn.q", "self_attn.k", "self_attn.v", "mlp.gate", "mlp.up"):
            tensors[at + name + "_proj.weight"][:, large] /= 16
        tensors[at + "input_layernorm.weight"] = norm.clone()
        tensors[at + "post_attention_layernorm.weight"] = norm.clone()
    tensors["model.norm.weight"] = torch.ones(HIDDEN)
    tensors["lm_head.weight"] = normal(VOCABULARY, HIDDEN, 1.5 * HIDDEN ** -0.5)
    return {name: t.to(torch.bfloat16).contiguous() for name, t in tensors.items()}


def main():
    samples, out = sys.argv[1], sys.argv[2]
    sample, model = os.path.join(samples, "tiny-llama-en"), os.path.join(out, "wide")
    os.makedirs(model)
    save_file(weights(), os.path.join(model, "model.safetensors"), metadata={"format": "pt"})
    with open(os.path.join(sample, "config.json")) as f:
        config = json.load(f)
    config.update(hidden_size=HIDDEN, intermediate_size=INNER, num_hidden_layers=BLOCKS, num_attention_heads=HEADS, num_key_value_heads=HEADS,
                  head_dim=HIDDEN // HEADS)
    with open(os.path.join(model, "config.json"), "w") as f:
        json.dump(config, f, indent=1)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        if os.path.exists(os.path.join(sample, name)):
            shutil.copy(os.path.join(sample, name), model)
    for name in ("calibration", "evaluation"):
        with open(os.path.join(samples, name + ".txt"), encoding="utf-8") as f:
            Dataset.from_dict({"text": [f.read()]}).save_to_disk(os.path.join(out, name))


main()
