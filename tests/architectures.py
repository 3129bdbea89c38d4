"""Tiny classifiers of transformers' encoders with random weights."""

from __future__ import annotations

from typing import Any

import transformers
from transformers import PreTrainedModel

SMALL = {
    "vocab_size": 99,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
DEBERTA = {**SMALL, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]}
DEBERTA_V3 = {
    **DEBERTA,
    "position_biased_input": False,
    "share_att_key": True,
    "norm_rel_ebd": "layer_norm",
    "position_buckets": 8,
    "type_vocab_size": 0,
}
# Name, configuration, stack, what stands before it, what stands after it.
ARCHITECTURES: dict[str, tuple[str, dict[str, Any], str, str, str]] = {
    "distilbert": (
        "DistilBert",
        {"vocab_size": 99, "dim": 32, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 64},
        "distilbert.transformer.layer",
        "distilbert.embeddings",
        "pre_classifier classifier",
    ),
    "bert": ("Bert", SMALL, "bert.encoder.layer", "bert.embeddings", "bert.pooler classifier"),
    "roberta": ("Roberta", SMALL, "roberta.encoder.layer", "roberta.embeddings", "classifier"),
    "xlm-roberta": ("XLMRoberta", SMALL, "roberta.encoder.layer", "roberta.embeddings", "classifier"),
    "electra": (
        "Electra",
        {**SMALL, "embedding_size": 16},
        "electra.encoder.layer",
        "electra.embeddings electra.embeddings_project",
        "classifier",
    ),
    "deberta-v2": ("DebertaV2", SMALL, "deberta.encoder.layer", "deberta.embeddings", "pooler classifier"),
    "deberta-v2-relative": (
        "DebertaV2",
        DEBERTA,
        "deberta.encoder.layer",
        "deberta.embeddings deberta.encoder.rel_embeddings",
        "pooler classifier",
    ),
    "deberta-v2-conv": (
        "DebertaV2",
        {**DEBERTA_V3, "conv_kernel_size": 3},
        "deberta.encoder.layer",
        "deberta.embeddings deberta.encoder.rel_embeddings deberta.encoder.LayerNorm deberta.encoder.conv",
        "pooler classifier",
    ),
    "deberta-v3": (
        "DebertaV2",
        DEBERTA_V3,
        "deberta.encoder.layer",
        "deberta.embeddings deberta.encoder.rel_embeddings deberta.encoder.LayerNorm",
        "pooler classifier",
    ),
    "mpnet": (
        "MPNet",
        SMALL,
        "mpnet.encoder.layer",
        "mpnet.embeddings mpnet.encoder.relative_attention_bias",
        "classifier",
    ),
    "modernbert": (
        "ModernBert",
        {**SMALL, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2},
        "model.layers",
        "model.embeddings",
        "model.final_norm head classifier",
    ),
}
SEEDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
DECODER = {**SMALL, **SEEDS}
# More of what transformers has; name, configuration, and what names the depth.
MORE: dict[str, tuple[str, dict[str, Any]]] = {
    "deberta": ("Deberta", DEBERTA),
    "camembert": ("Camembert", SMALL),
    "convbert": ("ConvBert", {**SMALL, "embedding_size": 16}),
    "ernie": ("Ernie", SMALL),
    "esm": ("Esm", {**SMALL, "pad_token_id": 1, "mask_token_id": 4}),
    "eurobert": ("EuroBert", {**DECODER, "num_key_value_heads": 4, "mask_token_id": 4}),
    "flaubert": ("Flaubert", {"vocab_size": 99, "emb_dim": 32, "n_heads": 4, "max_position_embeddings": 64}),
    "fnet": ("FNet", SMALL),
    "gpt2": ("GPT2", {"vocab_size": 99, "n_embd": 32, "n_head": 4, "n_positions": 64, **SEEDS}),
    "ibert": ("IBert", SMALL),
    "layoutlm": ("LayoutLM", SMALL),
    "llama": ("Llama", {**DECODER, "num_key_value_heads": 2}),
    "longformer": ("Longformer", {**SMALL, "attention_window": 4}),
    "luke": ("Luke", {**SMALL, "entity_vocab_size": 20, "entity_emb_size": 16}),
    "megatron-bert": ("MegatronBert", SMALL),
    "mobilebert": (
        "MobileBert",
        {**SMALL, "embedding_size": 32, "true_hidden_size": 16, "intra_bottleneck_size": 16},
    ),
    "modernbert-decoder": ("ModernBertDecoder", {**DECODER, "cls_token_id": 1, "sep_token_id": 2}),
    "nystromformer": ("Nystromformer", {**SMALL, "num_landmarks": 64, "segment_means_seq_len": 64}),
    "openai-gpt": ("OpenAIGPT", {"vocab_size": 99, "n_embd": 32, "n_head": 4, "n_positions": 64, **SEEDS}),
    "qwen3": ("Qwen3", {**DECODER, "num_key_value_heads": 2, "head_dim": 8}),
    "rembert": ("RemBert", {**SMALL, "input_embedding_size": 16, "output_embedding_size": 16}),
    "roberta-prelayernorm": ("RobertaPreLayerNorm", SMALL),
    "roformer": ("RoFormer", {**SMALL, "embedding_size": 16}),
    "squeezebert": ("SqueezeBert", {**SMALL, "embedding_size": 32}),
    "tapas": ("Tapas", SMALL),
    "xlm": ("XLM", {"vocab_size": 99, "emb_dim": 32, "n_heads": 4, "max_position_embeddings": 64}),
    "xlm-roberta-xl": ("XLMRobertaXL", SMALL),
    "xlnet": ("XLNet", {"vocab_size": 99, "d_model": 32, "n_head": 4, "d_inner": 64}),
    "xmod": ("Xmod", {**SMALL, "languages": ["en"], "default_language": "en"}),
    "yoso": ("Yoso", SMALL),
    "data2vec-text": ("Data2VecText", SMALL),
    "big_bird": ("BigBird", SMALL),
    "reformer": (
        "Reformer",
        {
            "vocab_size": 99,
            "hidden_size": 32,
            "attention_head_size": 8,
            "num_attention_heads": 4,
            "axial_pos_shape": [8, 8],
            "axial_pos_embds_dim": [16, 16],
            "feed_forward_size": 32,
            "max_position_embeddings": 64,
            "num_buckets": 2,
        },
    ),
}


def build(
    family: str, options: dict[str, Any], *, num_layers: int = 2, num_labels: int = 2, head: str = "Sequence"
) -> PreTrainedModel:
    """Return a tiny classifier of random weights; ``num_hidden_layers`` is what every family calls its depth, too."""
    if family == "Reformer":
        depth: dict[str, Any] = {"attn_layers": ["local", "lsh", "local"][:num_layers]}
    elif family in ("XLM", "Flaubert"):
        depth = {"n_layers": num_layers}
    else:
        depth = {"num_hidden_layers": num_layers}
    config = getattr(transformers, f"{family}Config")(**options, **depth)
    config.num_labels = num_labels
    model: PreTrainedModel = getattr(transformers, f"{family}For{head}Classification")(config)
    return model
