"""The cached engine on the standard engine's batches, so that their losses can be compared step by step."""

from __future__ import annotations

import pytest
import torch

from freezebench.training.batches.order import BucketedBatches, ShuffledBatches


def in_standards_order(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make the cached engine draw the standard engine's batches; returns a list that grows with every epoch drawn."""
    drawn: list[int] = []

    def epoch(self: BucketedBatches, number: int) -> list[torch.Tensor]:
        order = ShuffledBatches(len(self._lengths), self._batch_size, self._seed)
        order.set_epoch(number)
        drawn.append(number)
        return [torch.tensor(batch) for batch in order]

    monkeypatch.setattr(BucketedBatches, "epoch", epoch)
    return drawn
