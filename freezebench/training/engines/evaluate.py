"""Evaluation: the prediction for every sentence, and loss, accuracy and F1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from freezebench.records.run_record import Evaluation
from freezebench.tasks.classification import f1_score, logits_of
from freezebench.training.batches.encoding import collator, to_device
from freezebench.training.batches.order import batches_by_length
from freezebench.training.device import autocast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedTokenizerBase

    from freezebench.specs.run import Precision
    from freezebench.training.batches.encoding import Batch, Encoded
    from freezebench.training.prefix.feed import Feed

_BATCH_SIZE = 64


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

    With a feed, the model is evaluated as it is trained: behind the cached prefix, which holds the hidden states of
    validation and test sentences, too. Batches are sorted by length; predictions return to the order of the data::

        batch of sentences 7, 2, 9 ──► hidden states from the cache ──► remaining layers ──► predictions[[7, 2, 9]]

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
    # Filled in the order of batches, read in the order of the data.
    predictions = np.zeros(len(data), dtype=np.int64)
    # The sum stays on the device and in float64: batches have different sizes, and there may be thousands of them.
    total_loss = torch.zeros((), dtype=torch.float64, device=device)
    batches = _batches(data, tokenizer) if feed is None else feed[0].evaluation(feed[1])
    for sentences, tensors in batches:
        batch = to_device(tensors, device)
        labels = batch.pop("labels")
        with autocast(precision, device):
            logits = logits_of(model(**batch)) if feed is None else feed[0].logits(batch)
        total_loss += cross_entropy(logits, labels, reduction="sum").double()
        predictions[sentences] = logits.argmax(dim=-1).cpu().numpy()
    model.train(was_training)
    labels_array = np.asarray(data.labels)
    return Evaluation(
        loss=float(total_loss) / len(data),
        accuracy=float((predictions == labels_array).mean()),
        f1=f1_score(labels_array, predictions, num_labels),
        predictions=tuple(predictions.tolist()),
    )


def _batches(data: Encoded, tokenizer: PreTrainedTokenizerBase) -> Iterator[tuple[list[int], Batch]]:
    """Yield sentence numbers and padded batch."""
    collate = collator(tokenizer)
    for sentences in batches_by_length(data, _BATCH_SIZE):
        yield sentences, collate([data.examples[number] for number in sentences])
