"""Train the cached engine on the batches of the standard engine, so that losses can be compared step by step."""

from __future__ import annotations

import pytest
import torch

from freezebench.training.batches.order import BucketedBatches, ShuffledBatches


def in_standards_order(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make the cached engine draw the standard engine's batches; return a list to which each epoch is added."""
    epochs: list[int] = []

    def epoch(self: BucketedBatches, number: int) -> list[torch.Tensor]:
        order = ShuffledBatches(len(self._lengths), self._batch_size, self._seed)
        order.set_epoch(number)
        epochs.append(number)
        return [torch.tensor(batch) for batch in order]

    monkeypatch.setattr(BucketedBatches, "epoch", epoch)
    return epochs
