"""The learning rate of a configuration, chosen among several by the validation split alone."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RateTrial:
    """A run with one of the rates.

    Attributes:
        rate: The learning rate.
        loss: Validation loss of its best epoch, in nats; ``None`` if the run is invalid.
    """

    rate: float
    loss: float | None


@dataclass(frozen=True, kw_only=True)
class TunedRate:
    """The rates that were tried for a configuration.

    Attributes:
        trials: One run per rate.
        seed: The seed of all of them, which no judged run has.
    """

    trials: tuple[RateTrial, ...]
    seed: int

    @property
    def chosen(self) -> float | None:
        """The rate with the lowest validation loss, the smallest of several; ``None`` if all trials are invalid.

        A trial that is invalid, or whose loss is no number, is worse than any other one.
        """
        losses = {
            trial.rate: trial.loss for trial in self.trials if trial.loss is not None and math.isfinite(trial.loss)
        }
        return min(losses, key=lambda rate: (losses[rate], rate)) if losses else None

    @property
    def is_at_edge(self) -> bool:
        """Whether the chosen rate is the smallest or the largest one, so that one beyond it may be better."""
        rates = [trial.rate for trial in self.trials]
        return self.chosen in (min(rates), max(rates))
