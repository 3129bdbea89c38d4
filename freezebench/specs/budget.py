"""The budget of a session: how many runs it may train, or how long it may start further ones."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class BudgetLimit:
    """What ``--freeze-budget`` allows.

    Attributes:
        text: The option's value, as messages show it: ``40 runs``, ``30 min``.
        max_runs: Number of runs that may be trained; ``None``: any.
        max_s: Seconds after which no further run starts; ``None``: any.
    """

    text: str
    max_runs: int | None = None
    max_s: float | None = None
