"""Every token, token type and position of the data has an embedding, or nothing trains."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

from freezebench.errors import DataError, ModelError
from freezebench.models.load import load_model, quiet
from freezebench.runs import token_check
from freezebench.runs.data_cache import DataCache
from freezebench.runs.preflight import preflight
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec

ROWS = 64


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A checkpoint folder to change."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


@pytest.fixture
def data(tiny_data: Path, tmp_path: Path) -> Path:
    """A data folder to change."""
    return Path(shutil.copytree(tiny_data, tmp_path / "data"))


def add(data: Path, split: str, *texts: Any) -> None:
    """Append rows to a split."""
    with (data / f"{split}.jsonl").open("a", encoding="utf-8") as file:
        for text in texts:
            file.write(json.dumps({"text": text, "label": 1}) + "\n")


def add_tokens(model: Path, num: int) -> list[str]:
    """Add tokens to a tokenizer, without resizing the embeddings; return those that have no row."""
    tokenizer: Any = AutoTokenizer.from_pretrained(model)
    first = len(tokenizer)
    names = [f"<new{number}>" for number in range(num)]
    tokenizer.add_tokens(names)
    tokenizer.save_pretrained(model)
    return names[ROWS - first :]


def check(model: Path, data: Path, **options: Any) -> None:
    """Run the preflight check."""
    columns = options.pop("text_columns", ("text",))
    spec = RunSpec(
        model=str(model),
        data=DataSpec(source=str(data), text_columns=columns),
        protocol=Protocol(**options),
        device="cpu",
    )
    preflight(spec, ["none", "emb"], DataCache())


def test_added_tokens_without_rows_are_named_with_their_texts(model: Path, data: Path) -> None:
    """The message has the tokens, their ids, the number of rows, and the lines of the texts that hold them."""
    first, second, *_ = add_tokens(model, 60)
    add(data, "train", f"a {first} film")
    add(data, "test", f"a {first} film, {second}", "a film")
    with pytest.raises(DataError) as caught:
        check(model, data)
    text = str(caught.value)
    assert f"{data}/train.jsonl, line 49, {data}/test.jsonl, line 41: 2 texts hold tokens without an embedding" in text
    assert f"{first!r} (id 64), {second!r} (id 65). The embeddings of {model} have 64 rows" in text
    assert "model.resize_token_embeddings(len(tokenizer))" in text


def test_added_tokens_are_fine_where_no_text_holds_them(model: Path, data: Path) -> None:
    """Neither are those that have rows a fault."""
    add_tokens(model, 60)
    add(data, "train", "a <new3> film")
    check(model, data)


def test_many_texts_are_counted(model: Path, data: Path) -> None:
    """Some are listed."""
    token = add_tokens(model, 60)[0]
    add(data, "train", *[f"a {token} film {number}" for number in range(9)])
    with pytest.raises(DataError, match=r"and 4 more: 9 texts hold tokens"):
        check(model, data)


def test_resized_embeddings_have_the_rows(model: Path, data: Path) -> None:
    """The advice of the message, followed."""
    token = add_tokens(model, 60)[0]
    add(data, "train", f"a {token} film")
    classifier: Any = load_model(str(model))[0]
    classifier.resize_token_embeddings(100)
    with quiet():
        classifier.save_pretrained(model)
    check(model, data)


def test_a_padding_token_without_a_row_is_refused(model: Path, data: Path) -> None:
    """Every padded batch has it, whatever the texts hold."""
    tokenizer: Any = AutoTokenizer.from_pretrained(model)
    tokenizer.add_tokens([f"<new{number}>" for number in range(60)])
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    tokenizer.save_pretrained(model)
    with pytest.raises(ModelError, match=r"pads with '<pad>' \(id \d+\), but its embeddings have 64 rows"):
        check(model, data)


@pytest.mark.parametrize(
    ("tokens", "beyond"),
    [
        ([0, 63], set()),
        ([3, 64, 64, -1], {64, -1}),
        ([True, np.int64(70)], {70}),
        (["a", 64], {64}),
        ([[64]], set()),
        ([None, 2], set()),
    ],
)
def test_tokens_of_any_callable(tokens: list[Any], beyond: set[int]) -> None:
    """What is no whole number is left to the model, which may take it."""
    assert token_check._beyond(tokens, ROWS) == beyond


def test_token_types_without_a_row_are_refused(model: Path, tmp_path: Path) -> None:
    """A tokenizer gives the second text another type, which not every model has."""
    config: Any = BertConfig(
        vocab_size=ROWS,
        hidden_size=16,
        num_attention_heads=2,
        intermediate_size=32,
        num_hidden_layers=2,
        max_position_embeddings=64,
        type_vocab_size=1,
    )
    with quiet():
        BertForSequenceClassification(config).save_pretrained(model)
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    for split in ("train", "validation", "test"):
        rows = [{"text": f"the film {split}", "b": f"was {number}", "label": number % 2} for number in range(8)]
        (pairs / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    check(model, pairs)
    with pytest.raises(ModelError, match=r"gives token types up to 1, but the model has 1 \(type_vocab_size\)"):
        check(model, pairs, text_columns=("text", "b"))


FACTORY = '''
import torch
from transformers import AutoTokenizer


class Short(torch.nn.Module):
    """Has embeddings of few positions, which no configuration says."""

    def __init__(self, num_labels):
        super().__init__()
        self.words, self.positions = torch.nn.Embedding(64, 8), torch.nn.Embedding(12, 8)
        self.layers = torch.nn.ModuleList(torch.nn.Linear(8, 8) for _ in range(2))
        self.out = torch.nn.Linear(8, num_labels)

    def forward(self, input_ids, attention_mask):
        hidden = self.words(input_ids) + self.positions(torch.arange(input_ids.shape[1]))
        for layer in self.layers:
            hidden = layer(hidden)
        return self.out(hidden[:, 0])


def short(num_labels):
    torch.manual_seed(0)
    return Short(num_labels), AutoTokenizer.from_pretrained({model!r})


short.num_layers = 2
'''


@pytest.fixture
def short(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """A factory of a model with twelve positions."""
    (tmp_path / "freezebench_short.py").write_text(FACTORY.replace("{model!r}", repr(str(model))))
    monkeypatch.syspath_prepend(tmp_path)
    return lambda: "freezebench_short:short"


def test_a_text_longer_than_the_positions_of_a_custom_model_is_found(short: Callable[[], str], data: Path) -> None:
    """The longest text of all splits runs before training; the message gives its place and length."""
    state = torch.get_rng_state()
    check(Path(short()), data)
    add(data, "test", "the film was a " * 6)
    with pytest.raises(
        ModelError, match=r"fails on the longest text, .*test.jsonl, line 41, of 26 tokens \(IndexError"
    ):
        check(Path(short()), data)
    check(Path(short()), data, max_length=12)
    assert torch.equal(torch.get_rng_state(), state)
