"""Evaluation on every task: scores in the order of the data, and figures that follow from them."""

from __future__ import annotations

import math
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from freezebench.models.load import load_model
from freezebench.records.scores import unpack_scores
from freezebench.specs.names import TASKS as NAMES_OF_TASKS
from freezebench.specs.names import TaskName
from freezebench.tasks.base import IGNORED
from freezebench.tasks.registry import TASKS
from freezebench.training.batches.encoding import encode
from freezebench.training.engines.evaluate import class_scores, evaluation_of
from task_data import NAMES, TAGS, split


def _scored(folder: Path, task: TaskName, max_length: int = 32, outside: int = 0) -> tuple[Any, Any, torch.Tensor]:
    """Return a model, tokenized sentences and their scores."""
    torch.manual_seed(1)
    model, tokenizer = load_model(str(folder), len(NAMES[task]), task=task)
    data = encode(split(task, 30), tokenizer, model, max_length)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(5.0)  # as it is, the model gives all sentences about the same scores
    num = len(NAMES[task])
    return model, data, class_scores(model, data, tokenizer, num_labels=num, precision="float32", outside=outside)


@pytest.mark.parametrize("task", NAMES_OF_TASKS)
def test_scores_are_those_of_sentences_one_by_one(tiny_model: Path, task: TaskName) -> None:
    """Each sentence or word has the row that the order of the data gives it."""
    model, data, scores = _scored(tiny_model, task)
    rows = []
    for example in data.examples:
        batch = {name: torch.tensor([value]) for name, value in example.items() if name != "labels"}
        logits = model(**batch).logits[0].detach()
        labels = example["labels"]
        rows += [logits[[label != IGNORED for label in labels]]] if TASKS[task].by_word else [logits[None]]
    torch.testing.assert_close(scores, torch.cat(rows), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("task", NAMES_OF_TASKS)
def test_figures_follow_from_the_recorded_scores(tiny_model: Path, task: TaskName) -> None:
    """Bit by bit: whoever reads the record computes the same predictions."""
    _, data, scores = _scored(tiny_model, task)
    evaluation = evaluation_of(scores, data, NAMES[task], keep_scores=True)
    assert evaluation.scores is not None
    again = unpack_scores(evaluation.scores, *scores.shape)
    assert np.array_equal(again, scores.numpy())
    predicted = TASKS[task].predictions(torch.from_numpy(again))
    assert evaluation.loss == float(TASKS[task].loss(scores.double(), TASKS[task].targets(data.labels)))
    if task == "regression":
        assert (evaluation.predictions, evaluation.accuracy, evaluation.f1) == ((), None, None)
        return
    assert evaluation.predictions == tuple(predicted.flatten().tolist())
    is_right = (predicted == TASKS[task].targets(data.labels)).reshape(len(scores), -1).all(dim=1)
    assert evaluation.accuracy == pytest.approx(float(is_right.float().mean()))
    assert evaluation.f1 is not None
    assert evaluation_of(scores, data, NAMES[task]).scores is None


def test_words_beyond_the_longest_input_count_as_outside(tiny_model: Path) -> None:
    """With scores of which the class outside has the highest, and the loss of a guess."""
    _, data, scores = _scored(tiny_model, "token-classification", max_length=5, outside=2)
    missing = data.unscored_rows
    assert len(missing) > 10
    assert set(scores[missing].argmax(dim=-1).tolist()) == {2}
    assert bool(torch.isfinite(scores).all())
    labels = list(chain.from_iterable(data.labels))
    losses = torch.nn.functional.cross_entropy(scores[missing], torch.tensor([labels[row] for row in missing]))
    assert float(losses) == pytest.approx(math.log(len(TAGS)), abs=1e-3)
    _, whole, all_scores = _scored(tiny_model, "token-classification")
    assert whole.unscored_rows == []
    assert set(all_scores.argmax(dim=-1).tolist()) != {2}
