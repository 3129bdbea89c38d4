"""The optimizer of a training and the course of its rates, one of each for all stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from freezebench.training.device import scalar_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.training.engines.job import Job


def make_optimizer(jobs: Sequence[Job]) -> torch.optim.AdamW:
    """Return an AdamW of all parameters that train in some stage, with one group for each factor of the rate.

    Parameters without a gradient are left out of a step. So each parameter gets its state, and its count of steps for
    the bias correction, from the first stage on in which it trains.

    Args:
        jobs: The stages.
    """
    job = jobs[0]
    names = frozenset().union(*(stage.names for stage in jobs))
    groups: dict[float, list[torch.nn.Parameter]] = {}
    for name, parameter in job.model.named_parameters():
        if name in names:
            groups.setdefault(job.rate_factors.get(name, 1.0), []).append(parameter)
    rate = job.protocol.learning_rate
    # Fused: one kernel for all parameters. Capturable: the count of steps is on the GPU, where graphs can read it.
    return torch.optim.AdamW(
        [{"params": parameters, "lr": scalar_on(job.device, rate * factor)} for factor, parameters in groups.items()],
        lr=scalar_on(job.device, rate),
        weight_decay=job.protocol.weight_decay,
        fused=True,
        capturable=job.device.type == "cuda",
    )


def decaying_rates(
    optimizer: torch.optim.AdamW, jobs: Sequence[Job], num_steps: int
) -> torch.optim.lr_scheduler.LambdaLR:
    """Return the schedule: linear decay to 0 after the last step of all stages, times the factor of the current stage.

    It writes the rate of every group to the tensor that captured steps read.

    Args:
        optimizer: The optimizer.
        jobs: The stages.
        num_steps: Number of steps of all stages.
    """
    factors = [job.rate_factor for job in jobs for _ in job.epochs]
    steps_per_epoch = num_steps // len(factors)

    def factor(step: int) -> float:
        # The schedule computes a rate beyond the last step, too, which is 0.
        epoch = min(step // steps_per_epoch, len(factors) - 1)
        return factors[epoch] * max(0.0, 1 - step / num_steps)

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
