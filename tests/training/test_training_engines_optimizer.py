"""The optimizer and the rates of a training in stages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from freezebench.specs.run import Protocol
from freezebench.training.engines.job import Job
from freezebench.training.engines.optimizer import decaying_rates, make_optimizer

PROTOCOL = Protocol(num_epochs=3, learning_rate=0.8)


@pytest.fixture
def job() -> Job:
    """A job of three epochs of a model of two layers."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    unused: Any = None
    return Job(
        model=model,
        tokenizer=unused,
        train=unused,
        protocol=PROTOCOL,
        precision="float32",
        seed=1,
        names=frozenset(name for name, _ in model.named_parameters()),
        epochs=range(3),
        evaluate=unused,
    )


def test_without_factors_there_is_one_group(job: Job) -> None:
    """It holds what trains in some stage, in the order of the model."""
    head = replace(job, names=frozenset({"1.weight"}), epochs=range(1))
    (group,) = make_optimizer([head, replace(job, names=frozenset({"0.weight", "1.weight"}))]).param_groups
    parameters = dict(job.model.named_parameters())
    assert [id(item) for item in group["params"]] == [id(parameters[name]) for name in ("0.weight", "1.weight")]
    assert float(group["lr"]) == 0.8


def test_every_factor_has_a_group_whose_rate_decays(job: Job) -> None:
    """All of them to 0 after the last step, times the factor of the stage; each rate is a tensor of its own."""
    factors = {"0.weight": 0.5, "0.bias": 0.5, "1.weight": 0.25}
    jobs = [
        replace(job, epochs=range(1), rate_factor=10.0, rate_factors=factors),
        replace(job, epochs=range(1, 3), rate_factors=factors),
    ]
    optimizer = make_optimizer(jobs)
    assert [len(group["params"]) for group in optimizer.param_groups] == [2, 1, 1]
    decay = decaying_rates(optimizer, jobs, 6)
    rates = []
    for _ in range(6):
        rates.append([float(group["lr"]) for group in optimizer.param_groups])
        optimizer.step()
        decay.step()
    left = [10.0, 10 * 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    assert rates == [pytest.approx([0.8 * factor * part for factor in (0.5, 0.25, 1.0)]) for part in left]
    assert [float(group["lr"]) for group in optimizer.param_groups] == [0, 0, 0]
