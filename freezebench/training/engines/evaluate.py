"""Evaluation: the prediction for every sentence, and the figures that follow from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from freezebench.records.run_record import Evaluation
from freezebench.tasks.classification import f1_score, logits_of
from freezebench.training.batches.batching import batches_by_length, collator, to_device
from freezebench.training.device import autocast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedTokenizerBase

    from freezebench.specs.run import Precision
    from freezebench.training.batches.batching import Encoded
    from freezebench.training.prefix.feed import Feed

_EVALUATION_BATCH = 64


@torch.inference_mode()
def evaluate(
    model: torch.nn.Module,
    data: Encoded,
    tokenizer: PreTrainedTokenizerBase,
    *,
    num_labels: int,
    precision: Precision,
    feed: tuple[Feed, str] | None = None,
) -> Evaluation:
    """Return loss, accuracy, F1 and the predicted class of every sentence; the model's train mode is restored.

    Args:
        model: The model.
        data: The split.
        tokenizer: Pads its batches.
        num_labels: Number of classes.
        precision: Number format of the forward passes.
        feed: The cached engine's feed and what it calls this split; ``None``: the whole model runs.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    predictions = np.zeros(len(data), dtype=np.int64)
    total_loss = torch.zeros((), dtype=torch.float64, device=device)
    batches = _batches(data, tokenizer) if feed is None else feed[0].evaluation(feed[1])
    for indices, tensors in batches:
        batch = to_device(tensors, device)
        labels = batch.pop("labels")
        with autocast(precision, device):
            logits = logits_of(model(**batch)) if feed is None else feed[0].logits(batch)
        total_loss += cross_entropy(logits, labels, reduction="sum").double()
        predictions[indices] = logits.argmax(dim=-1).cpu().numpy()
    model.train(was_training)
    labels_array = np.asarray(data.labels)
    return Evaluation(
        loss=float(total_loss) / len(data),
        accuracy=float((predictions == labels_array).mean()),
        f1=f1_score(labels_array, predictions, num_labels),
        predictions=tuple(predictions.tolist()),
    )


def _batches(data: Encoded, tokenizer: PreTrainedTokenizerBase) -> Iterator[tuple[list[int], Any]]:
    """Yield sentence numbers and padded batch."""
    collate = collator(tokenizer)
    for indices in batches_by_length(data, _EVALUATION_BATCH):
        yield indices, collate([data.examples[index] for index in indices])
