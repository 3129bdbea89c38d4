"""What a session would do with the runs of earlier ones: how far they lead, and what is needed after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.planning.finished import FinishedRuns, NeededRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from freezebench.planning.session_plan import SessionPlan
    from freezebench.records.run_record import RunRecord
    from freezebench.specs.run import RunSpec


@dataclass(frozen=True, kw_only=True)
class Replay:
    """The plan of a session after the runs that earlier ones have finished.

    Attributes:
        finished: Those of their runs that it needs.
        needed: All runs that are known to be needed, in order, those among them.
        left: Those that no earlier session finished.
    """

    finished: FinishedRuns
    needed: tuple[NeededRun, ...]
    left: tuple[NeededRun, ...]


def replay(plan: SessionPlan, finished_earlier: Callable[[Iterable[RunSpec]], Mapping[str, RunRecord]]) -> Replay:
    """Return how far the runs of earlier sessions lead: what a look decides determines which runs come next.

    Args:
        plan: The configurations of the session.
        finished_earlier: Returns those of some runs that earlier sessions have finished, by run id.
    """
    finished, taken = FinishedRuns(), list[NeededRun]()
    while True:
        left = plan.runs_left(finished)
        # Times that are compared are always measured anew.
        reusable = [needed for needed in left if not (needed.must_be_new or needed.is_tentative)]
        records = finished_earlier(needed.spec for needed in reusable)
        reused = [needed for needed in reusable if needed.spec.run_id in records]
        if not reused:
            return Replay(finished=finished, needed=(*taken, *left), left=tuple(left))
        taken += reused
        for needed in reused:
            finished.add(needed, records[needed.spec.run_id], is_reused=True)
