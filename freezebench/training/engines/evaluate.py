"""Evaluation: scores and predictions of every sentence or word, and loss, accuracy and F1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from freezebench.records.run_record import Evaluation
from freezebench.records.scores import pack_scores
from freezebench.scoring.confusion import ACCURACY
from freezebench.scoring.examples import Examples
from freezebench.tasks.scores import logits_of
from freezebench.training.batches.encoding import collator, to_device
from freezebench.training.batches.order import batches_by_tokens
from freezebench.training.device import autocast, inference_batch_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from transformers import PreTrainedTokenizerBase

    from freezebench.specs.run import Precision
    from freezebench.training.batches.encoding import Batch, Encoded
    from freezebench.training.prefix.feed import Feed

# Enough to be the highest in float32.
_LEAST_SCORE = 1e-3


def evaluate(
    model: torch.nn.Module,
    data: Encoded,
    tokenizer: PreTrainedTokenizerBase,
    *,
    num_labels: int,
    precision: Precision,
    feed: tuple[Feed, str] | None = None,
) -> Evaluation:
    """Return the evaluation of a model on a split, from ``class_scores``."""
    scores = class_scores(model, data, tokenizer, num_labels=num_labels, precision=precision, feed=feed)
    return evaluation_of(scores, data, [str(number) for number in range(num_labels)])


@torch.inference_mode()
def class_scores(
    model: torch.nn.Module,
    data: Encoded,
    tokenizer: PreTrainedTokenizerBase,
    *,
    num_labels: int,
    precision: Precision,
    feed: tuple[Feed, str] | None = None,
    outside: int = 0,
) -> torch.Tensor:
    """Return the scores of every sentence, or of every word, on the CPU, shape (rows, outputs); train mode is restored.

    With a feed, the model is evaluated as it is trained: behind the cached prefix, which holds the hidden states of
    validation and test sentences, too. The batches depend on the split and the kind of device alone, so that a model
    whose scores depend on padding has the same predictions with every engine. They are sorted by length; scores return
    to the order of the data::

        batch of sentences 7, 2, 9 ──► hidden states from the cache ──► remaining layers ──► scores[[7, 2, 9]]

    Args:
        model: The model.
        data: The split.
        tokenizer: Pads its batches.
        num_labels: Number of outputs: of classes or labels, 1 in regression.
        precision: Number format of the forward passes.
        feed: The cached engine's feed and its name of this split; ``None``: the whole model runs.
        outside: The class that words without a token count as predicted, see :func:`_unscored`.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    # Filled in the order of batches, read in the order of the data. A sentence that no batch has stays NaN.
    scores = torch.full((data.num_rows, num_labels), math.nan)
    batches = _batches(data, tokenizer, device) if feed is None else feed[0].evaluation(feed[1])
    for sentences, tensors in batches:
        batch = to_device(tensors, device)
        labels = batch.pop("labels")
        with autocast(precision, device):
            logits = logits_of(model(**batch)) if feed is None else feed[0].logits(batch)
        scores[data.rows(sentences)] = data.task.rows(logits, labels).cpu()
    scores[data.unscored_rows] = _unscored(num_labels, outside)
    model.train(was_training)
    return scores


def _unscored(num_labels: int, outside: int) -> torch.Tensor:
    """Return the scores of a word without a token: nearly equal ones, the highest of them that of the class outside.

    The loss of such a word is that of a guess, log(classes), whatever the model has learned.
    """
    scores = torch.zeros(num_labels)
    scores[outside] = _LEAST_SCORE
    return scores


def evaluation_of(
    scores: torch.Tensor, data: Encoded, label_names: Sequence[str], *, keep_scores: bool = False
) -> Evaluation:
    """Return loss, accuracy, F1 and predictions.

    Args:
        scores: Scores of the split, float32 of shape (rows, outputs).
        data: The split.
        label_names: Name of every class or label.
        keep_scores: Whether the scores are recorded, too.
    """
    task, targets = data.task, data.task.targets(data.labels)
    loss = float(task.loss(scores.double(), targets))
    packed = pack_scores(scores.numpy()) if keep_scores else None
    if not task.has_classes:
        return Evaluation(loss=loss, accuracy=None, f1=None, scores=packed)
    predictions = task.predictions(scores)
    examples = Examples(
        task=task.name,
        labels=targets.long().numpy(),
        predictions=predictions.numpy(),
        scores=None,
        label_names=tuple(label_names),
        lengths=None if data.scored_words is None else np.array(list(map(len, data.labels))),
    )
    return Evaluation(
        loss=loss,
        accuracy=ACCURACY.value(examples),
        f1=task.f1(examples),
        predictions=tuple(predictions.flatten().tolist()),
        scores=packed,
    )


def _batches(
    data: Encoded, tokenizer: PreTrainedTokenizerBase, device: torch.device
) -> Iterator[tuple[list[int], Batch]]:
    """Yield sentence numbers and padded batch, the same ones as :meth:`Feed.evaluation` does for the whole model."""
    collate = collator(tokenizer, data.task)
    for batch in batches_by_tokens(data.lengths, inference_batch_tokens(device)):
        sentences = batch.tolist()
        yield sentences, collate([data.examples[number] for number in sentences])
