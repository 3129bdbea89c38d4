"""The tasks: losses as transformers' heads have them, predictions and strata."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from transformers import DistilBertConfig, DistilBertForSequenceClassification, DistilBertForTokenClassification

from freezebench.models.task_heads import HEADS
from freezebench.scoring.examples import Examples
from freezebench.specs.names import TaskName
from freezebench.tasks.base import IGNORED, rarest
from freezebench.tasks.registry import TASKS

_IDS = torch.tensor([[2, 5, 6, 7], [2, 8, 0, 0]])
_MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
# Labels of two sentences as the data have them, and as batches do.
LABELS: dict[TaskName, tuple[Any, Any]] = {
    "sequence-classification": ((2, 0), [2, 0]),
    "regression": ((0.3, -1.7), [0.3, -1.7]),
    "multi-label": (((1, 0, 1), (0, 0, 0)), [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]),
    "token-classification": (((1, 2), (0,)), [[IGNORED, 1, IGNORED, 2], [IGNORED, 0, IGNORED, IGNORED]]),
}


def test_every_task_is_there() -> None:
    """Each has a head that transformers can make."""
    assert tuple(TASKS) == get_args(TaskName) == tuple(HEADS)
    assert all(task.name == name for name, task in TASKS.items())


@pytest.mark.parametrize("name", TASKS)
def test_losses_are_those_of_transformers(name: TaskName) -> None:
    """Of its own heads, which read problem_type; labels of batches and of a split give the same mean."""
    task, (labels, in_batch) = TASKS[name], LABELS[name]
    size = {"vocab_size": 16, "dim": 8, "n_heads": 2, "hidden_dim": 8, "n_layers": 1}
    make: Any = DistilBertForTokenClassification if task.by_word else DistilBertForSequenceClassification
    config_of: Any = DistilBertConfig
    torch.manual_seed(0)
    model = make(config_of(**size, num_labels=1 if name == "regression" else 3)).eval()
    model.config.problem_type = HEADS[name].problem_type
    batch = torch.tensor(in_batch)
    with torch.no_grad():
        output = model(input_ids=_IDS, attention_mask=_MASK, labels=batch)
    assert torch.equal(task.loss(output.logits, batch), output.loss)
    rows, targets = task.rows(output.logits, batch), task.targets(labels)
    assert len(rows) == len(targets)
    assert float(task.loss(rows.double(), targets)) == pytest.approx(float(output.loss), rel=1e-6)
    if not task.by_word:
        assert torch.tensor([task.batch_label(label) for label in labels]).tolist() == batch.tolist()


def test_predictions_follow_from_scores() -> None:
    """The first of equal scores, every label above one half, or the number itself."""
    scores = torch.tensor([[0.5, 0.5, -1.0], [-0.1, 0.0, 1e-30]])
    for name in ("sequence-classification", "token-classification"):
        assert TASKS[name].predictions(scores).tolist() == [0, 2]
    assert TASKS["multi-label"].predictions(scores).tolist() == [[1, 1, 0], [0, 0, 1]]
    assert torch.equal(TASKS["regression"].predictions(scores[:, :1]), scores[:, 0])


def test_strata_of_numbers_are_quarters() -> None:
    """Equal numbers are together."""
    labels = (5.0, 1.0, 3.0, 2.0, 2.0, 2.0, 4.0, 6.0)
    assert TASKS["regression"].strata(labels).tolist() == [3, 0, 2, 0, 0, 0, 2, 3]
    assert TASKS["regression"].strata((2.5,) * 5).tolist() == [0] * 5


def test_strata_of_several_classes_are_the_rarest_ones() -> None:
    """So that batches share out the sentences with a rare label or entity."""
    assert TASKS["multi-label"].strata(((1, 1, 0), (1, 0, 0), (0, 0, 0))).tolist() == [1, 0, 3]
    assert TASKS["token-classification"].strata(((0, 0, 2), (0, 1), (0, 0), (1, 0))).tolist() == [2, 1, 0, 1]
    assert rarest([[0], [], [0, 1], [1]], 2) == [0, 2, 0, 1]


def test_f1_is_that_of_the_classes() -> None:
    """Entities have one where tags are of entities, and numbers have none."""
    entities = Examples(
        task="token-classification",
        labels=np.array([1, 2, 0, 1]),
        predictions=np.array([1, 2, 1, 0]),
        scores=None,
        label_names=("O", "B-PER", "I-PER"),
        lengths=np.array([2, 2]),
    )
    assert TASKS["token-classification"].f1(entities) == pytest.approx(0.5)
    assert TASKS["token-classification"].f1(replace(entities, label_names=("NOUN", "VERB", "ADV"))) is None
    assert TASKS["regression"].f1(entities) is None
