"""The used rows of a word embedding: training on a small table gives the same large one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from freezebench.runs.experiment import run
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec
from freezebench.training.cpu import embedding_rows
from freezebench.training.cpu.embedding_rows import UsedEmbeddingRows, find_used_rows
from freezebench.training.cpu.operations import CpuOperations

if TYPE_CHECKING:
    from pathlib import Path

PROTOCOL = Protocol(engine="cached", precision="float32", num_epochs=2, batch_size=8)


class _Bag(nn.Module):
    def __init__(self, *, tied: bool = False, **options: Any) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 4, padding_idx=0, **options)
        self.out = nn.Linear(4, 50, bias=False)
        if tied:
            self.out.weight = self.table.weight

    def get_input_embeddings(self) -> nn.Embedding:
        return self.table

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.out(self.table(ids).mean(1))
        return out


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tables of any size count as large."""
    monkeypatch.setattr(embedding_rows, "_MIN_ROWS", 1)


@pytest.mark.usefixtures("small")
def test_training_equals_that_of_the_whole_table() -> None:
    """Five AdamW steps give the same weights; unused rows do not change."""
    batches = [torch.tensor([[3, 7, 7, 0], [9, 3, 0, 0]]), torch.tensor([[7, 11, 9, 9]])]
    tables = []
    for shrinks in (False, True):
        torch.manual_seed(0)
        model, ops = _Bag(), CpuOperations(0)
        before = model.table.weight.detach().clone()
        rows = find_used_rows(model, [torch.cat([batch.flatten() for batch in batches])]) if shrinks else None
        if rows is not None:
            rows.__enter__()
            ops.embedding_rows = rows
            assert len(model.table.weight) == 5
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.0)
        for step in range(5):
            with ops:
                model(batches[step % 2]).square().sum().backward()
            optimizer.step()
            if rows is not None:
                model.out.weight.grad = None
                rows.clear_gradient()
            else:
                optimizer.zero_grad()
        if rows is not None:
            rows.__exit__(None, None, None)
        tables.append(model.table.weight.detach().clone())
        unused = [row for row in range(50) if row not in {3, 7, 9, 11}]
        assert torch.equal(tables[-1][unused], before[unused])
    assert torch.allclose(tables[0], tables[1], atol=1e-6)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("model", [_Bag(tied=True), _Bag(max_norm=1.0), _Bag(sparse=True), nn.Linear(2, 2)])
def test_special_tables_stay_whole(model: nn.Module) -> None:
    """Tied, renormalised and sparse tables are not reduced; a model may have no table."""
    assert find_used_rows(model, [torch.tensor([1, 2])]) is None


def test_small_and_frozen_tables_stay_whole() -> None:
    """Small tables cost little, and frozen ones have no gradient."""
    model = _Bag()
    assert find_used_rows(model, [torch.tensor([1, 2])]) is None
    model.table.weight.requires_grad_(False)
    assert find_used_rows(model, [torch.tensor([1, 2])]) is None


def test_a_run_has_the_losses_of_the_whole_table(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Losses and predictions are the same; with weight decay, and in stages, the table stays whole."""
    spec = RunSpec(model=str(tiny_model), data=DataSpec(source=str(tiny_data)), device="cpu", protocol=PROTOCOL)
    whole = run(spec)
    opened: list[UsedEmbeddingRows] = []
    monkeypatch.setattr(embedding_rows, "_MIN_ROWS", 1)
    enter = UsedEmbeddingRows.__enter__

    def noted(self: UsedEmbeddingRows) -> UsedEmbeddingRows:
        opened.append(self)
        return enter(self)

    monkeypatch.setattr(UsedEmbeddingRows, "__enter__", noted)
    shrunk = run(spec)
    assert len(opened) == 5  # two checks, before the training, the training, and after it
    assert shrunk.is_valid
    assert shrunk.step_losses == pytest.approx(whole.step_losses, rel=1e-5)
    assert shrunk.test
    assert whole.test
    assert shrunk.test.predictions == whole.test.predictions
    opened.clear()
    assert run(replace(spec, protocol=replace(PROTOCOL, weight_decay=0.1))).is_valid
    assert not opened  # decay moves every row
    assert run(replace(spec, freeze="lpft", protocol=replace(PROTOCOL, num_epochs=2))).is_valid
    assert not opened  # the table is frozen in the first stage
