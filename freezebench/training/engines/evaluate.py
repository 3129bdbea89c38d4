"""Evaluation: the prediction for every sentence, and loss, accuracy and F1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

from freezebench.records.run_record import Evaluation
from freezebench.tasks.classification import f1_score, logits_of
from freezebench.training.batches.encoding import collator, to_device
from freezebench.training.batches.order import batches_by_tokens
from freezebench.training.device import autocast, inference_batch_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from transformers import PreTrainedTokenizerBase

    from freezebench.specs.run import Precision
    from freezebench.training.batches.encoding import Batch, Encoded
    from freezebench.training.prefix.feed import Feed


def evaluate(
    model: torch.nn.Module,
    data: Encoded,
    tokenizer: PreTrainedTokenizerBase,
    *,
    num_labels: int,
    precision: Precision,
    feed: tuple[Feed, str] | None = None,
) -> Evaluation:
    """Return loss, accuracy, F1 and the predicted class of every sentence, from ``class_scores``."""
    scores = class_scores(model, data, tokenizer, num_labels=num_labels, precision=precision, feed=feed)
    return evaluation_of(scores, data.labels)


@torch.inference_mode()
def class_scores(
    model: torch.nn.Module,
    data: Encoded,
    tokenizer: PreTrainedTokenizerBase,
    *,
    num_labels: int,
    precision: Precision,
    feed: tuple[Feed, str] | None = None,
) -> torch.Tensor:
    """Return the class scores of every sentence on the CPU, shape (sentences, classes); train mode is restored.

    With a feed, the model is evaluated as it is trained: behind the cached prefix, which holds the hidden states of
    validation and test sentences, too. The batches depend on the split and the kind of device alone, so that a model
    whose scores depend on padding has the same predictions with every engine. They are sorted by length; scores return
    to the order of the data::

        batch of sentences 7, 2, 9 ──► hidden states from the cache ──► remaining layers ──► scores[[7, 2, 9]]

    Args:
        model: The model.
        data: The split.
        tokenizer: Pads its batches.
        num_labels: Number of classes.
        precision: Number format of the forward passes.
        feed: The cached engine's feed and its name of this split; ``None``: the whole model runs.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    # Filled in the order of batches, read in the order of the data. A sentence that no batch has stays NaN.
    scores = torch.full((len(data), num_labels), math.nan)
    batches = _batches(data, tokenizer, device) if feed is None else feed[0].evaluation(feed[1])
    for sentences, tensors in batches:
        batch = to_device(tensors, device)
        batch.pop("labels")
        with autocast(precision, device):
            logits = logits_of(model(**batch)) if feed is None else feed[0].logits(batch)
        scores[sentences] = logits.cpu()
    model.train(was_training)
    return scores


def evaluation_of(scores: torch.Tensor, labels: Sequence[int]) -> Evaluation:
    """Return loss, accuracy, F1 and predicted classes.

    Args:
        scores: Class scores, shape (sentences, classes).
        labels: True class numbers.
    """
    true_classes = torch.tensor(labels)
    predictions = scores.argmax(dim=-1).numpy()
    return Evaluation(
        loss=float(cross_entropy(scores.double(), true_classes)),
        accuracy=float((predictions == true_classes.numpy()).mean()),
        f1=f1_score(true_classes.numpy(), predictions, scores.shape[-1]),
        predictions=tuple(predictions.tolist()),
    )


def _batches(
    data: Encoded, tokenizer: PreTrainedTokenizerBase, device: torch.device
) -> Iterator[tuple[list[int], Batch]]:
    """Yield sentence numbers and padded batch, the same ones as :meth:`Feed.evaluation` does for the whole model."""
    collate = collator(tokenizer)
    for batch in batches_by_tokens(data.lengths, inference_batch_tokens(device)):
        sentences = batch.tolist()
        yield sentences, collate([data.examples[number] for number in sentences])
