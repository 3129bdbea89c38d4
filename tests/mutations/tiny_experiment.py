"""A tiny experiment that learns, as a pytest session in this process: the ground on which faults are put in."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from tiny import WORDS, sentences, words_tokenizer, write_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CANDIDATE = "emb+L0"
LIMIT_PP = 10

_TEST = """
import pytest

@pytest.mark.freeze({marker})
def test_it(freeze_run):
    freeze_run()
"""
_MARKER = {
    "model": "model",
    "data": "data",
    "grid": f"none,{CANDIDATE}",
    "epochs": 3,
    "lr": 2e-3,
    "batch_size": 8,
    "dropout": True,
    "engine": "standard",
    "precision": "float32",
    "device": "cpu",
    "num_seeds": 3,
    "max_drop": LIMIT_PP,
}


@dataclass(frozen=True)
class Outcome:
    """How a session ended.

    Attributes:
        exit_code: Its exit code.
        output: What it showed.
    """

    exit_code: int
    output: str


def write_experiment(folder: Path) -> None:
    """Write the data and a model that has read many sentences, but has no head: each seed starts from another one."""
    for seed, (split, num) in enumerate((("train", 96), ("validation", 60), ("test", 200))):
        path = folder / "data" / f"{split}.jsonl"
        path.parent.mkdir(exist_ok=True)
        lines = [json.dumps({"text": text, "label": label}) for text, label in _examples(num, seed)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        _pretrained().distilbert.save_pretrained(folder / "model")
    write_tokenizer(folder / "model")


def _examples(num: int, seed: int) -> list[tuple[str, int]]:
    """Return sentences of which every sixth has words of both classes and a random label: no model is always right."""
    draw = random.Random(seed)  # noqa: S311 - test data
    examples = sentences(num, 2, seed + 10)
    for index in range(0, num, 6):
        text, label = examples[index]
        examples[index] = (f"{draw.choice(WORDS[1 - label])} {text}", draw.randrange(2))
    return examples


def _pretrained() -> Any:
    """Return a classifier that has learned the words of the two classes."""
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    config = DistilBertConfig(
        vocab_size=64,
        dim=32,
        n_heads=2,
        hidden_dim=64,
        n_layers=2,
        max_position_embeddings=64,
        initializer_range=0.1,
    )
    model: Any = DistilBertForSequenceClassification(config)
    tokenizer: Any = words_tokenizer()
    examples = sentences(512, 2, 99)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for start in range(0, 3 * len(examples) // 4, 32):
        some = [examples[index % len(examples)] for index in range(start, start + 32)]
        fields = tokenizer([text for text, _ in some], padding=True, return_tensors="pt")
        labels = torch.tensor([label for _, label in some])
        model(input_ids=fields.input_ids, attention_mask=fields.attention_mask, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model


def run(pytester: pytest.Pytester, **changes: object) -> Outcome:
    """Run the session in pytester's folder, with changes to the arguments of its marker."""
    marker = ", ".join(f"{name}={value!r}" for name, value in {**_MARKER, **changes}.items())
    pytester.makepyfile(test_project=_TEST.format(marker=marker))
    # The suite turns warnings into errors, and a fault may cause some that would end the run first.
    result = pytester.runpytest_inprocess("-v", "-rs", "-Wignore", "--freeze-store=store")
    return Outcome(int(result.ret), result.stdout.str() + result.stderr.str())
