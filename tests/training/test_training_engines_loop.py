"""Trainings in stages: the same figures with and without cached prefixes, and the weights that each stage trains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from cached_runs import PROTOCOL, cached_run
from freezebench.models.load import load_model
from freezebench.records.events import TrainingPaused, TrainingStarted
from freezebench.runs import experiment
from freezebench.runs.data_cache import DataCache
from freezebench.runs.experiment import run
from freezebench.specs.run import Engine, RunSpec
from freezebench.training.engines import loop
from freezebench.training.engines.events import BackwardDone, Emit, Event
from freezebench.training.engines.job import Job
from freezebench.training.engines.log import TrainingResult

SPECS: dict[str, list[int | None]] = {
    "lpft": [2, None],
    "emb+L0+lpft(probe=3)": [2, 1],
    "unfreeze": [2, 1, None],
    "emb+unfreeze(layers=2)": [2, 0],
    "bitfit+unfreeze": [2, 1, None],
    "norms+lpft": [2, None],
    "lora(r=2)+lpft": [2, 0],
    "llrd(0.5)": [None],
    "emb+L0+llrd(0.5)": [1],
    "emb+unfreeze+llrd(0.8)": [2, 1, 0],
}


def _run_spec(model: Path, data: Path, freeze: str, engine: Engine = "cached") -> RunSpec:
    protocol = replace(PROTOCOL, engine=engine, num_epochs=4, batch_order="shuffled", learning_rate=5e-3)
    return replace(cached_run(model, data, freeze=freeze), protocol=protocol)


def _noting(monkeypatch: pytest.MonkeyPatch) -> list[list[Job]]:
    """Return a list to which the jobs of every training are added."""
    trained: list[list[Job]] = []

    def train(jobs: list[Job], emit: Emit) -> TrainingResult:
        trained.append(jobs)
        return loop.train(jobs, emit)

    for engine in ("standard", "cached"):
        monkeypatch.setitem(experiment._ENGINES, engine, train)
    return trained


@pytest.mark.parametrize("freeze", SPECS)
def test_cached_and_standard_give_the_same_losses(
    freeze: str, tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32 without dropout; every stage caches as many layers as are frozen in it, in one pass for all."""
    if "lora" in freeze:
        pytest.importorskip("peft")
    trained = _noting(monkeypatch)
    data_cache = DataCache()
    cached = run(_run_spec(tiny_model, tiny_data, freeze), data_cache=data_cache)
    standard = run(_run_spec(tiny_model, tiny_data, freeze, "standard"))
    assert (cached.status, standard.status) == ("completed", "completed"), (cached.reason, standard.reason)
    assert cached.step_losses == pytest.approx(standard.step_losses, abs=1e-4)
    assert len(set(standard.step_losses)) == len(standard.step_losses) == 24
    for mine, theirs in zip(cached.epochs, standard.epochs, strict=True):
        assert mine.validation.loss == pytest.approx(theirs.validation.loss, abs=1e-4)
    assert cached.test is not None
    assert standard.test is not None
    assert cached.test.loss == pytest.approx(standard.test.loss, abs=1e-4)
    depths = SPECS[freeze]
    feeds = [job.feed for job in trained[0]]
    assert [feed is not None and feed.prefix is not None for feed in feeds] == [depth is not None for depth in depths]
    assert [feed is not None and feed.cls_only for feed in feeds] == [depth == 2 for depth in depths]
    # Layers without adapters share their prefix with all other runs, so that it is one of its own.
    assert data_cache.prefixes.num_passes == (0 if depths == [None] else 2 if "lora" in freeze else 1)
    assert ("prefix_s" in cached.readings) is (depths != [None])


def test_the_best_epoch_of_an_early_stage_is_evaluated(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What begins to train later has its first weights then; the figures are those of that epoch."""
    trained = _noting(monkeypatch)
    spec = _run_spec(tiny_model, tiny_data, "lpft(probe=0.02)")
    # The rate of the second stage is so high that nothing is learned any more.
    record = run(replace(spec, protocol=replace(spec.protocol, learning_rate=1.0)))
    assert record.is_valid, record.reason
    assert record.best_epoch == 1
    assert record.test is not None
    assert record.test.loss < record.epochs[-1].validation.loss
    (warning,) = record.warnings
    assert warning.startswith("the validation loss is lowest after epoch 1, before emb, L0, L1 began to train")
    model, _ = load_model(str(tiny_model))
    head = trained[0][0].names
    for name, parameter in trained[0][0].model.named_parameters():
        assert name in head or torch.equal(parameter, model.get_parameter(name))


def test_a_stage_trains_its_parameters_and_no_others(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights and counts of steps; nothing keeps a gradient from the stage before."""
    before: dict[str, torch.Tensor] = {}
    changed: list[set[str]] = []
    steps: list[set[int]] = []

    def train(jobs: list[Job], emit: Emit) -> TrainingResult:
        parameters = dict(jobs[0].model.named_parameters())

        def look(event: Event) -> None:
            if isinstance(event, TrainingStarted):
                before.update({name: parameter.detach().clone() for name, parameter in parameters.items()})
                assert all(parameter.grad is None for parameter in parameters.values())
            elif isinstance(event, TrainingPaused):
                changed.append({name for name in parameters if not torch.equal(parameters[name], before[name])})
            elif isinstance(event, BackwardDone):
                steps.append({int(state["step"]) for state in event.optimizer.state.values()})
            emit(event)

        result = loop.train(jobs, look)
        assert [len(job.epochs) for job in jobs] == [1, 1, 2]
        assert changed == [job.names for job in jobs for _ in job.epochs]
        return result

    monkeypatch.setitem(experiment._ENGINES, "standard", train)
    record = run(_run_spec(tiny_model, tiny_data, "unfreeze", "standard"))
    assert record.is_valid, record.reason
    # Before the last update of each stage: what has trained in one, two and three of them.
    assert steps == [{5}, {11, 5}, {23, 17, 11}]


def test_rates_per_parameter_are_those_of_adamw_groups(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain AdamW with groups, linear decay and clipping of all together, written out once more, gives the losses."""
    spec = _run_spec(tiny_model, tiny_data, "lpft(probe=4)+llrd(0.5)", "standard")
    losses: list[float] = []

    def train(jobs: list[Job], emit: Emit) -> TrainingResult:
        weights = {name: tensor.clone() for name, tensor in jobs[0].model.state_dict().items()}
        losses.extend(_plain(jobs))
        jobs[0].model.load_state_dict(weights)
        return loop.train(jobs, emit)

    monkeypatch.setitem(experiment._ENGINES, "standard", train)
    record = run(spec)
    assert record.is_valid, record.reason
    assert record.step_losses == pytest.approx(losses, rel=1e-5)


def _plain(jobs: list[Job]) -> list[float]:
    model: Any = jobs[0].model
    parts: list[tuple[torch.nn.Module, ...]] = [
        (model.pre_classifier, model.classifier),
        (model.distilbert.transformer.layer[1],),
        (model.distilbert.transformer.layer[0],),
        (model.distilbert.embeddings,),
    ]
    groups = [
        {"params": [parameter for module in part for parameter in module.parameters()], "factor": 0.5**number}
        for number, part in enumerate(parts)
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
    losses: list[float] = []
    model.eval()
    for job, factor, num_trained in zip(jobs, (4.0, 1.0), (1, 4), strict=True):
        batches = job.batches()
        for epoch in job.epochs:
            batches.set_epoch(epoch)
            for batch in batches:
                for group in optimizer.param_groups:
                    group["lr"] = 5e-3 * factor * group["factor"] * (1 - len(losses) / 24)
                labels = batch.pop("labels")
                for parameter in model.parameters():
                    parameter.requires_grad_(True)
                loss = cross_entropy(model(**batch).logits, labels)
                loss.backward()  # type: ignore[no-untyped-call]
                for group in optimizer.param_groups[num_trained:]:
                    for parameter in group["params"]:
                        parameter.grad = None
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()
                losses.append(loss.item())
    return losses
