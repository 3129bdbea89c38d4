"""Batches, precision and evaluation."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.modeling_outputs import SequenceClassifierOutput

from freezebench.data.splits import Split
from freezebench.errors import SettingsError
from freezebench.tasks.classification import f1_score, logits_of
from freezebench.training import device as precision
from freezebench.training.batches.encoding import encode, longest_input
from freezebench.training.batches.order import ShuffledBatches, batches_by_length
from freezebench.training.engines.evaluate import evaluate
from freezebench.training.random_state import isolated_random_state
from tiny import sentences


@given(st.integers(1, 200), st.integers(1, 40), st.integers(0, 2**31), st.integers(0, 20))
def test_every_example_comes_once_an_epoch(num: int, batch_size: int, seed: int, epoch: int) -> None:
    """Batches are a partition, of full size but for the last one, and depend on seed and epoch alone."""
    batches = ShuffledBatches(num, batch_size, seed)
    batches.set_epoch(epoch)
    found = list(batches)
    assert sorted(index for batch in found for index in batch) == list(range(num))
    assert len(found) == len(batches)
    assert all(len(batch) == batch_size for batch in found[:-1])
    assert list(batches) == found


def test_epochs_and_seeds_differ_in_order() -> None:
    """Neighbouring seeds do not share orders with a shifted epoch."""
    orders = set()
    for seed in range(4):
        batches = ShuffledBatches(50, 50, seed)
        for epoch in range(4):
            batches.set_epoch(epoch)
            orders.add(tuple(next(iter(batches))))
    assert len(orders) == 16


def _loaded(folder: Path) -> tuple[Any, Any]:
    return AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def test_encoding_truncates_and_keeps_what_forward_takes(tiny_model: Path) -> None:
    """Token types, which DistilBERT does not have, are left out; long inputs are cut."""
    model, tokenizer = _loaded(tiny_model)
    split = Split(texts=(("the film was awful " * 9,), ("the plot",)), labels=(0, 1))
    encoded = encode(split, tokenizer, model, 10)
    assert [len(example["input_ids"]) for example in encoded.examples] == [10, 4]
    assert set(encoded.examples[0]) == {"input_ids", "attention_mask", "labels"}


def test_pairs_are_encoded_together(tiny_model: Path) -> None:
    """Two texts make one input with a separator between them."""
    model, tokenizer = _loaded(tiny_model)
    split = Split(texts=(("the film", "the plot"),), labels=(0,))
    assert len(encode(split, tokenizer, model, 32).examples[0]["input_ids"]) == 7


def test_the_longest_input_respects_model_tokenizer_and_wish(tiny_model: Path) -> None:
    """The smallest limit holds; RoBERTa's positions start behind its padding id, XLNet's have no end."""
    model, tokenizer = _loaded(tiny_model)
    assert longest_input(model, tokenizer, None) == 64
    assert longest_input(model, tokenizer, 16) == 16
    roberta: Any = torch.nn.ModuleDict({"position_embeddings": torch.nn.Embedding(34, 4, padding_idx=1)})
    roberta.config = SimpleNamespace(max_position_embeddings=34, pad_token_id=1)
    assert longest_input(roberta, tokenizer, None) == 32
    xlnet: Any = torch.nn.ModuleDict()
    xlnet.config = SimpleNamespace(max_position_embeddings=-1)
    assert longest_input(xlnet, tokenizer, None) == 64
    unlimited: Any = SimpleNamespace(model_max_length=int(1e30))
    assert longest_input(torch.nn.Linear(1, 1), unlimited, None) == 512


def test_evaluation_is_in_the_order_of_the_data(tiny_model: Path) -> None:
    """Batches by length do not mix up predictions; padding does not change them; train mode is restored."""
    model, tokenizer = _loaded(tiny_model)
    texts, labels = zip(*sentences(90, 2, 0), strict=True)
    encoded = encode(Split(texts=tuple((t,) for t in texts), labels=labels), tokenizer, model, 32)
    model.train()
    found = evaluate(model, encoded, tokenizer, num_labels=2, precision="float32")
    assert model.training
    model.eval()
    with torch.no_grad():
        single = [model(**tokenizer(text, return_tensors="pt", return_token_type_ids=False)).logits for text in texts]
    logits = torch.cat(single)
    assert found.predictions == tuple(logits.argmax(dim=1).tolist())
    assert found.loss == pytest.approx(float(torch.nn.functional.cross_entropy(logits, torch.tensor(labels))), rel=1e-5)
    assert found.accuracy == pytest.approx(float(np.mean(np.array(found.predictions) == np.array(labels))))
    assert sorted(i for batch in batches_by_length(encoded, 7) for i in batch) == list(range(90))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_f1_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    """Macro over all classes, and binary for two classes, as scikit-learn computes them."""
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is in the dev extra")
    labels, predictions = (np.array(column) for column in zip(*pairs, strict=True))
    expected = metrics.f1_score(labels, predictions, labels=range(4), average="macro", zero_division=0)
    assert f1_score(labels, predictions, 4) == pytest.approx(expected)
    two = metrics.f1_score(labels % 2, predictions % 2, zero_division=0)
    assert f1_score(labels % 2, predictions % 2, 2) == pytest.approx(two)


SCORES = torch.tensor([[0.5, -0.5]], dtype=torch.bfloat16)


@pytest.mark.parametrize(
    "output",
    [
        SCORES,
        {"logits": SCORES},
        (SCORES, None),
        SimpleNamespace(logits=SCORES),
        SequenceClassifierOutput(logits=SCORES),
    ],
)
def test_scores_are_found_in_what_classifiers_return(output: Any) -> None:
    """As the tensor itself, by name, or in front of a tuple; in float32."""
    assert torch.equal(logits_of(output), SCORES.float())


def test_devices_that_do_not_exist_are_refused() -> None:
    """The error says what is there."""
    assert precision.resolve_device("cpu").type == "cpu"
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert precision.resolve_device("auto").type == "cpu"
    with pytest.raises(SettingsError, match="sees no CUDA device"):
        precision.resolve_device("cuda:3")


def test_precision_follows_the_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    """Auto is bf16 where the CPU has native instructions for it, else float32; a wish is a wish."""
    cpu = torch.device("cpu")
    monkeypatch.setattr(precision, "_cpu_flags", lambda: {"avx2", "amx_bf16"})
    assert precision.resolve_precision("auto", cpu) == "bf16"
    monkeypatch.setattr(precision, "_cpu_flags", lambda: {"avx2"})
    assert precision.resolve_precision("auto", cpu) == "float32"
    assert precision.resolve_precision("bf16", cpu) == "bf16"
    assert precision.resolve_precision("float32", cpu) == "float32"


def test_random_state_is_the_callers_afterwards() -> None:
    """A run seeds everything and leaves no trace of it."""
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    with isolated_random_state(torch.device("cpu")):
        torch.manual_seed(99)
        np.random.seed(99)  # noqa: NPY002
    assert torch.equal(torch.rand(1), expected)
