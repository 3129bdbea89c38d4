"""The processor's tape: what is played is what ran, and what cannot be played is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from freezebench.models import load as models
from freezebench.runs.data_cache import DataCache
from freezebench.runs.experiment import run
from freezebench.specs.run import DataSpec, Protocol, RunSpec
from freezebench.training.capture.replay import CpuTape, drawn, undrawn
from freezebench.training.capture.steps import RecordedStep, quickest
from freezebench.training.engines import loop


def _played(function: Callable[[torch.Tensor], torch.Tensor], *inputs: torch.Tensor) -> list[torch.Tensor]:
    """Return what a function recorded on the first input returns for the others."""
    place, made = inputs[0].clone(), list[torch.Tensor]()
    play = CpuTape().record(lambda: made.append(function(place)))
    results = []
    for one in inputs[1:]:
        place.copy_(one)
        play()
        results.append(made[0].detach().clone())
    return results


def _split(x: torch.Tensor) -> torch.Tensor:
    left, right = x.chunk(2, dim=1)
    return torch.cat([right.exp(), left], dim=1)


def _in_place(x: torch.Tensor) -> torch.Tensor:
    sums = torch.zeros(4)
    sums.index_add_(0, torch.arange(4), x.sum(1))
    return sums.mul_(2).unsqueeze(1) + x


def _written_view(x: torch.Tensor) -> torch.Tensor:
    y = x * 2
    y[:, 0] = x[:, 1]
    y.t()[1] += 1
    return y


def _norms(x: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        norms: torch.Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm([x @ x.t(), x.double()])))
    return norms + torch.var_mean(x, 1)[1]


def _gradient(x: torch.Tensor) -> torch.Tensor:
    weight = torch.full((6,), 0.5, requires_grad=True)
    loss = nn.functional.gelu(nn.functional.layer_norm(x, [6], weight)).square().sum()
    (of_weight,) = torch.autograd.grad(loss, weight)
    return of_weight


def _places(x: torch.Tensor) -> torch.Tensor:
    return x[torch.tensor([2, 0, 1]), torch.tensor([1, 1, 5])]


@pytest.mark.parametrize("function", [_split, _in_place, _written_view, _norms, _gradient, _places])
def test_what_is_played_is_what_runs(function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Views, operations in place, lists, several outputs, gradients, other number formats: equal bit for bit."""
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(4, 6, generator=generator) for _ in range(3)]
    for got, one in zip(_played(function, *inputs), inputs[1:], strict=True):
        assert torch.equal(got, function(one))


def test_recording_changes_nothing() -> None:
    """What was there before is changed by playing only."""
    weight, tape = torch.ones(3), CpuTape()
    play = tape.record(lambda: weight.mul_(2))
    assert weight.tolist() == [1, 1, 1]
    play()
    play()
    assert weight.tolist() == [4, 4, 4]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 2 if x.sum() > 0 else x,
        lambda x: x * x.max().item(),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: torch.ops.aten._native_batch_norm_legit(
            x, None, None, torch.zeros(6), torch.ones(6), True, 0.1, 1e-5
        ),
    ],
)
def test_what_depends_on_numbers_is_refused(function: Callable[[torch.Tensor], Any]) -> None:
    """Another input would take another way."""
    x = torch.ones(4, 6)
    with pytest.raises(RuntimeError, match=r"depends on what comes out of|changes what it is given"):
        CpuTape().record(lambda: function(x))


def test_what_is_drawn_is_drawn_anew_in_every_play() -> None:
    """Recording draws nothing."""
    numbers = iter(range(10))
    made: list[torch.Tensor] = []

    def draw() -> torch.Tensor:
        return torch.full((2,), float(next(numbers)))

    play = CpuTape().record(lambda: made.append(drawn((2,), torch.float32, draw) * 10))
    seen = []
    for _ in range(3):
        play()
        seen.append(made[0].tolist())
    assert seen == [[0, 0], [10, 10], [20, 20]]
    with undrawn():
        assert drawn((2,), torch.float32, draw).tolist() == [1, 1]
    assert drawn((2,), torch.float32, draw).tolist() == [3, 3]


def _spec(model: Path, data: Path, **changes: Any) -> RunSpec:
    protocol = Protocol(engine="cached", num_epochs=4, batch_size=8, learning_rate=1e-2, precision="float32")
    return RunSpec(
        model=str(model), data=DataSpec(source=str(data)), device="cpu", protocol=replace(protocol, **changes)
    )


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_head_that_is_played_trains_like_one_that_runs(
    precision: str, tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout on: losses, accuracies and steps are equal bit for bit; the rate decays in both."""
    used: list[Any] = []

    @contextmanager
    def watched(*args: Any) -> Iterator[Any]:
        with quickest(*args) as step:
            used.append(step)
            yield step

    data_cache = DataCache()
    spec = replace(_spec(tiny_model, tiny_data, precision=precision), freeze="emb+L0-1")
    monkeypatch.setattr(loop, "quickest", watched)
    played = run(spec, data_cache=data_cache)
    assert isinstance(used[0], RecordedStep)

    @contextmanager
    def plain(step: Any, *_: Any) -> Iterator[Any]:
        yield step

    monkeypatch.setattr(loop, "quickest", plain)
    ran = run(spec, data_cache=data_cache)
    assert played.step_losses == ran.step_losses
    assert [one.validation for one in played.epochs] == [one.validation for one in ran.epochs]
    assert played.test == ran.test
    assert not played.warnings
    assert set(played.readings) == set(ran.readings) | {"prefix_s"}


class _Reader(nn.Module):
    """A head that looks at a number in training, as a recording cannot."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and x.sum().isnan():
            raise ValueError("not a number")
        scores: torch.Tensor = self.inner(x)
        return scores


def test_a_head_that_cannot_be_played_runs_and_says_why(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The losses are those of the model whose head can be."""
    spec = replace(_spec(tiny_model, tiny_data), freeze="emb+L0-1")
    expected = run(spec)
    load = models.load_model

    def reading(*args: Any, **kwargs: Any) -> Any:
        model, tokenizer = load(*args, **kwargs)
        head: Any = model
        head.classifier = _Reader(head.classifier)
        return model, tokenizer

    monkeypatch.setattr("freezebench.runs.experiment.load_model", reading)
    record = run(spec)
    assert record.is_valid, record.reason
    assert len(record.warnings) == 1
    assert record.warnings[0].startswith("steps are not recorded, which would be faster: what the model does next")
    assert record.step_losses == expected.step_losses
