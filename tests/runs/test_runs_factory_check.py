"""A factory has to return the same model in every call, or one that the seed of the run determines."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import DistilBertConfig, DistilBertForSequenceClassification

from freezebench.errors import ModelError
from freezebench.models.layers import find_layers
from freezebench.runs.data_cache import DataCache
from freezebench.runs.experiment import run
from freezebench.runs.factory_check import initial_sha256, tensor_hashes
from freezebench.runs.input_check import InputCheck
from freezebench.runs.preflight import preflight
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec
from tiny import words_tokenizer

PROTOCOL = Protocol(num_epochs=1, batch_size=8, learning_rate=1e-2, precision="float32")
SIZES = {"vocab_size": 64, "dim": 16, "n_heads": 2, "hidden_dim": 32, "n_layers": 2, "max_position_embeddings": 64}

_calls: Iterator[int] = itertools.count()


def _made(**changes: Any) -> tuple[torch.nn.Module, Any]:
    return DistilBertForSequenceClassification(DistilBertConfig(**{**SIZES, **changes})), words_tokenizer()


def fixed(_: int) -> tuple[torch.nn.Module, Any]:
    """The same weights for every seed."""
    torch.manual_seed(0)
    return _made()


def new_head(_: int) -> tuple[torch.nn.Module, Any]:
    """An encoder that is always the same, under a head that the seed of the run determines."""
    seed = torch.initial_seed()
    model, tokenizer = fixed(_)
    torch.manual_seed(seed)
    torch.nn.init.normal_(model.get_parameter("classifier.weight"))
    return model, tokenizer


def random_encoder(_: int) -> tuple[torch.nn.Module, Any]:
    """An encoder that differs from seed to seed, which nothing says."""
    return _made()


def declared(_: int, seed: int) -> tuple[torch.nn.Module, Any]:
    """The same, and its signature says so."""
    torch.manual_seed(seed)
    return _made()


def adapted(_: int) -> tuple[torch.nn.Module, Any]:
    """An encoder that is always the same and fixed, with new adapters that the seed of the run determines."""
    model, tokenizer = new_head(_)
    model.get_submodule("distilbert").requires_grad_(requires_grad=False)
    for query in (model.get_submodule(f"distilbert.transformer.layer.{layer}.attention.q_lin") for layer in (0, 1)):
        torch.nn.utils.parametrize.register_parametrization(query, "weight", LowRank())
    return model, tokenizer


class LowRank(torch.nn.Module):
    """A sum of a fixed weight and of a product of two small ones, of which one is 0 at first."""

    def __init__(self) -> None:
        super().__init__()
        self.down = torch.nn.Parameter(torch.randn(2, SIZES["dim"]))
        self.up = torch.nn.Parameter(torch.zeros(SIZES["dim"], 2))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the adapted weight."""
        return weight + self.up @ self.down


def adapted_random(_: int) -> tuple[torch.nn.Module, Any]:
    """Adapters on a fixed encoder that differs from seed to seed."""
    model, tokenizer = random_encoder(_)
    model.get_submodule("distilbert").requires_grad_(requires_grad=False)
    model.get_parameter("distilbert.transformer.layer.0.ffn.lin1.bias").requires_grad_()
    return model, tokenizer


def random_head(_: int) -> tuple[torch.nn.Module, Any]:
    """A head from a source of random numbers that nobody seeds."""
    model, tokenizer = fixed(_)
    with torch.no_grad():
        draws = np.random.default_rng().normal(size=(2, 16))
        model.get_parameter("classifier.weight").copy_(torch.tensor(draws))
    return model, tokenizer


def counted(_: int) -> tuple[torch.nn.Module, Any]:
    """Another dropout in every call, with the same weights."""
    torch.manual_seed(0)
    return _made(dropout=0.1 + 0.01 * next(_calls))


def later(_: int) -> tuple[torch.nn.Module, Any]:
    """Another encoder from the fifth call on."""
    torch.manual_seed(0 if next(_calls) < 4 else 1)
    return _made()


def later_head(_: int) -> tuple[torch.nn.Module, Any]:
    """Another head from the fifth call on."""
    return fixed(_) if next(_calls) < 4 else random_head(_)


@pytest.fixture
def spec(tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], RunSpec]:
    """Return a run of a factory of this module."""
    monkeypatch.setitem(globals(), "_calls", itertools.count())

    def make(name: str) -> RunSpec:
        return RunSpec(
            model=f"{__name__}:{name}", data=DataSpec(source=str(tiny_data)), seed=3, device="cpu", protocol=PROTOCOL
        )

    return make


@pytest.mark.parametrize("name", ["fixed", "new_head", "declared", "adapted"])
def test_a_factory_that_the_seed_determines_passes(spec: Callable[[str], RunSpec], name: str) -> None:
    """New heads and adapters may follow from the seed, and an encoder where the factory takes it; all runs agree."""
    data_cache = DataCache()
    preflight(spec(name), ["none", "emb+L0"], data_cache)
    check = InputCheck(data_cache)
    for freeze, seed in (("none", 3), ("emb+L0", 3), ("none", 4), ("emb+L0", 4)):
        record = check.checked(run(replace(spec(name), freeze=freeze, seed=seed)))
        assert record.is_valid, record.reason


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "random_encoder",
            r"another encoder for seed 4 than for seed 3 \(.*embeddings.*def factory\(num_labels, seed\)",
        ),
        ("adapted_random", r"another encoder for seed 4 than for seed 3 \(.*embeddings"),
        ("random_head", r"another model in a second call with the same seed \(first difference: classifier.weight\)"),
        ("counted", r"another model in a second call with the same seed \(first difference: its modules\)"),
    ],
)
def test_a_factory_that_varies_is_refused_before_training(
    spec: Callable[[str], RunSpec], name: str, message: str
) -> None:
    """The message names the first tensor that differs, and how to correct or declare it."""
    with pytest.raises(ModelError, match=message):
        preflight(spec(name), ["none", "emb"], DataCache())


@pytest.mark.parametrize(("name", "what"), [("later", "model"), ("later_head", "model")])
def test_a_factory_that_varies_later_makes_the_run_invalid(
    spec: Callable[[str], RunSpec], name: str, what: str
) -> None:
    """The preflight check calls it four times; the first run that gets another model is not compared with any."""
    data_cache = DataCache()
    check = InputCheck(data_cache)
    records = [run(replace(spec(name), freeze=freeze)) for freeze in ("none", "emb", "emb+L0", "L0", "L1")]
    checked = [check.checked(record) for record in records]
    assert [record.is_valid for record in checked] == [True] * 4 + [False]
    assert checked[-1].cause == "inputs_changed"
    assert f"returned another {what} for L1 seed 3 than for none seed 3, so that a drop" in str(checked[-1].reason)


def test_an_encoder_that_varies_over_seeds_makes_the_run_invalid(spec: Callable[[str], RunSpec]) -> None:
    """Also where no preflight check has called the factory."""
    check = InputCheck(DataCache())
    first, second = (check.checked(run(replace(spec("random_encoder"), seed=seed))) for seed in (3, 4))
    assert first.is_valid
    assert "returned another encoder for none seed 4 than for none seed 3" in str(second.reason)


def test_hashes_cover_every_tensor_and_tell_head_from_encoder() -> None:
    """Any weight or buffer changes them; the weights of the head are in the second one alone."""
    model, _ = fixed(2)
    before = initial_sha256(model, find_layers(model))
    assert initial_sha256(fixed(2)[0], find_layers(model)) == before
    with torch.no_grad():
        model.get_parameter("classifier.bias")[0] += 1
    head = initial_sha256(model, find_layers(model))
    assert (head[0] == before[0], head[1] == before[1]) == (True, False)
    model.register_buffer("scale", torch.tensor(2.0, dtype=torch.bfloat16))
    assert initial_sha256(model, find_layers(model))[0] != before[0]
    assert {"scale", "classifier.bias", "its modules"} <= set(tensor_hashes(model))
