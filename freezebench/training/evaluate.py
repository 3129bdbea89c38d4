"""Evaluation: the prediction for every sentence, and the figures that follow from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from freezebench.records.run_record import Evaluation
from freezebench.training.batching import batches_by_length, collator, logits_of, to_device
from freezebench.training.precision import autocast

if TYPE_CHECKING:
    import numpy.typing as npt
    from transformers import PreTrainedTokenizerBase

    from freezebench.specs.run import Precision
    from freezebench.training.batching import Encoded

_EVALUATION_BATCH = 64


@torch.inference_mode()
def evaluate(
    model: torch.nn.Module,
    data: Encoded,
    tokenizer: PreTrainedTokenizerBase,
    *,
    num_labels: int,
    precision: Precision,
) -> Evaluation:
    """Return loss, accuracy, F1 and the predicted class of every sentence; the model's train mode is restored."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    collate = collator(tokenizer)
    predictions = np.zeros(len(data), dtype=np.int64)
    total_loss = torch.zeros((), dtype=torch.float64, device=device)
    for indices in batches_by_length(data, _EVALUATION_BATCH):
        batch = to_device(collate([data.examples[index] for index in indices]), device)
        labels = batch.pop("labels")
        with autocast(precision, device):
            output = model(**batch)
        logits = logits_of(output)
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


def f1_score(labels: npt.NDArray[np.int64], predictions: npt.NDArray[np.int64], num_labels: int) -> float:
    """Return F1 of class 1 for two classes, else the unweighted mean of every class's F1 (macro).

    F1 = 2 TP / (2 TP + FP + FN); a class that neither occurs nor is predicted counts 0.

    Args:
        labels: True class numbers, shape (sentences,).
        predictions: Predicted class numbers, shape (sentences,).
        num_labels: Number of classes.
    """
    classes = range(num_labels) if num_labels > 2 else (1,)  # noqa: PLR2004 - binary or not
    scores = []
    for label in classes:
        hits = int(((labels == label) & (predictions == label)).sum())
        claimed_or_true = int((labels == label).sum() + (predictions == label).sum())
        scores.append(2 * hits / claimed_or_true if claimed_or_true else 0.0)
    return float(np.mean(scores))
