"""Configuration and weights of a checkpoint belong together, and new parameters are named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from freezebench.errors import ModelError
from freezebench.models.completeness import new_parameters
from freezebench.models.layers import word_embedding
from freezebench.models.load import load_model, quiet
from tiny import SMALL_BERT


def rewrite(folder: Path, **changes: Any) -> None:
    """Change fields of config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A checkpoint folder to change."""
    return Path(shutil.copytree(tiny_model, tmp_path / "checkpoint"))


def save(folder: Path, name: str, **options: Any) -> None:
    """Replace the model in a folder by another one of random weights."""
    make: Any = getattr(transformers, name)
    with quiet():
        make(make.config_class(**options)).save_pretrained(folder)


SIZES: dict[str, tuple[dict[str, Any], str]] = {
    "layers": (
        {"n_layers": 10**9},
        "n_layers in its config.json is 1000000000, and freezebench loads models of up to 1000",
    ),
    "layers by another name": ({"num_hidden_layers": 10**9}, "n_layers in its config.json is 1000000000"),
    "width": ({"dim": 10**9}, r"describes an encoder of [\d,]+ parameters, but its weights have 27,336 bytes"),
    "a width without end": ({"dim": 10**12}, "cannot make the model that its config.json describes"),
    "vocabulary": ({"vocab_size": 10**12}, r"describes an encoder of 16,000,000,005,\d+ parameters"),
    "positions": ({"max_position_embeddings": 10**12}, "describes an encoder of"),
    "inner width": ({"hidden_dim": 10**12}, "describes an encoder of"),
    "a negative width": ({"dim": -16}, "cannot make the model that its config.json describes"),
    "a negative vocabulary": ({"vocab_size": -5}, "cannot make the model that its config.json describes"),
    "a width that is text": ({"dim": "16"}, "cannot use its config.json: .*dim"),
    "no heads": ({"n_heads": 0}, "cannot make the model that its config.json describes"),
    "an unknown activation": ({"activation": "nope"}, "cannot make the model that its config.json describes"),
    "groups": ({"q_groups": 10**9}, "q_groups in its config.json is 1000000000, and freezebench loads models of up to"),
}


@pytest.mark.parametrize("name", SIZES)
def test_absurd_sizes_are_refused(folder: Path, name: str) -> None:
    """Nothing of that size is allocated."""
    changes, message = SIZES[name]
    rewrite(folder, **changes)
    with pytest.raises(ModelError, match=message):
        load_model(str(folder))


@pytest.mark.parametrize("model", ["DistilBertModel", "DistilBertForSequenceClassification"])
def test_layers_that_the_configuration_leaves_out_are_refused(folder: Path, model: str) -> None:
    """An encoder of fewer layers would be another one, whether or not the weights have the prefix of a classifier."""
    save(folder, model, vocab_size=64, dim=16, n_heads=2, hidden_dim=32, n_layers=2)
    load_model(str(folder))
    rewrite(folder, n_layers=1)
    with pytest.raises(ModelError, match=r"with 1 layers, leaves out, such as .*transformer.layer.1.attention"):
        load_model(str(folder))


HEADS: dict[str, tuple[int, set[str]]] = {
    "BertForMaskedLM": (2, {"bert.pooler", "classifier"}),
    "BertForPreTraining": (2, {"classifier"}),
    "BertModel": (2, {"classifier"}),
    "BertForSequenceClassification": (2, set()),
    "RobertaForMaskedLM": (2, {"classifier"}),
    "RobertaForSequenceClassification": (3, {"classifier.out_proj"}),
    "ElectraForPreTraining": (2, {"classifier"}),
}


@pytest.mark.parametrize("name", HEADS)
def test_parameters_that_are_new_are_named(folder: Path, name: str) -> None:
    """Those of the head that the checkpoint lacks, or has for another number of classes."""
    num_labels, expected = HEADS[name]
    save(folder, name, **SMALL_BERT)
    model = load_model(str(folder), num_labels)[0]
    names = [key for key, _ in model.named_parameters() if any(key.startswith(f"{part}.") for part in expected)]
    assert new_parameters(model) == tuple(names)


def test_new_parameters_of_a_factory_are_not_known() -> None:
    """It may load or make any part."""
    assert new_parameters(torch.nn.Linear(2, 2)) is None


def test_a_head_for_other_classes_is_new(folder: Path) -> None:
    """What has the same shape for any number of classes is kept."""
    model = load_model(str(folder), 3)[0]
    assert new_parameters(model) == ("classifier.weight", "classifier.bias")
    assert new_parameters(load_model(str(folder), 2)[0]) == ()


def test_a_configuration_of_another_type_is_refused(folder: Path) -> None:
    """The name of an architecture is text."""
    rewrite(folder, model_type=["distilbert"])
    with pytest.raises(ModelError, match="names no model_type"):
        load_model(str(folder))


def test_a_character_model_has_no_word_embedding(folder: Path) -> None:
    """Canine looks characters up in several tables of hashes, so that no id is beyond them; it loads."""
    make: Any = transformers.CanineConfig
    sizes = {key: SMALL_BERT[key] for key in ("hidden_size", "num_attention_heads", "intermediate_size")}
    config = make(**sizes, num_hidden_layers=2, num_hash_functions=2, num_hash_buckets=32, max_position_embeddings=64)
    model: Any = transformers.CanineForSequenceClassification
    tokenizer: Any = transformers.CanineTokenizer
    with quiet():
        model(config).save_pretrained(folder)
    for path in (*folder.glob("tokenizer*"), folder / "vocab.txt"):
        path.unlink()
    tokenizer().save_pretrained(folder)
    assert word_embedding(load_model(str(folder))[0]) is None
