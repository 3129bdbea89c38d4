"""What is left of a session's budget: runs that may still start.

A budget of runs is never exceeded: a block of several runs, such as an interleaved series, starts only if all of it
fits. A budget of time decides when runs start; what has begun is finished, since an unfinished run shows nothing.
Runs that are reused cost nothing of a budget of runs, and neither do those that were lost with their device.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from freezebench.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from freezebench.planning.blocks import Block, Training
    from freezebench.specs.budget import BudgetLimit


class Budget:
    """What is left of a budget.

    Attributes:
        num_ended: How many runs have been trained.
        refused: The block that was refused last; ``None``: the latest plan had none.
    """

    def __init__(self, limit: BudgetLimit | None = None) -> None:
        """Take the limit, ``None`` for none; the time begins now."""
        self._limit = limit
        self._began = time.monotonic()
        self.num_ended = 0
        self.refused: Block | None = None
        self._first_refused: Block | None = None

    def admits(self, block: Block, training: Iterable[Training]) -> bool:
        """Return whether a block may start; one that may not is kept as the one that was refused.

        Args:
            block: The block.
            training: The blocks that train now.
        """
        limit = self._limit
        if limit is None:
            return True
        num_runs = self.num_ended + sum(other.num_left for other in training) + len(block.runs)
        is_within = (limit.max_runs is None or num_runs <= limit.max_runs) and (
            limit.max_s is None or time.monotonic() - self._began < limit.max_s
        )
        if not is_within:
            self.refused = block
            self._first_refused = self._first_refused or block
        return is_within

    @property
    def reason(self) -> str:
        """Why no further run starts, as the end of a sentence."""
        return f"the budget of {self._limit.text if self._limit else 'the session'} is used up"

    def lines(self, experiments: Mapping[tuple[str, str], str]) -> list[str]:
        """Return what would have trained next, and how to go on; none while the budget lasts.

        Args:
            experiments: What the session calls its pairs of a model and a data set.
        """
        if self._first_refused is None:
            return []
        first, num_runs = self._first_refused.runs[0].spec, len(self._first_refused.runs)
        block = "" if num_runs == 1 else f", the first of {num_runs} that train without a break"
        trained = f"{counted(self.num_ended, 'run')} trained"
        name = " ".join(filter(None, (experiments.get((first.model, first.data.source)), first.freeze)))
        line = f"{self.reason} ({trained}); the next run would have been {name} seed {first.seed}{block}. The "
        return [f"{line}same command goes on from there where finished runs are kept (--freeze-store)."]
