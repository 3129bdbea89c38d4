"""The runs that are needed, and those that a session has finished: what the planning functions take and return."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freezebench.records.run_record import RunRecord
    from freezebench.specs.run import RunSpec


@dataclass(frozen=True, kw_only=True)
class NeededRun:
    """One run that is needed next.

    Attributes:
        spec: The run.
        must_be_new: Whether a record of an earlier session does not count, because times are going to be judged.
        is_timed: Whether its times show the noise of the machine for required savings, so that they have to be
            measured: on a shared processor nothing may train beside it.
        is_trial: Whether it is a trial of a learning rate (see ``planning.tuning``).
        is_tentative: Whether it follows trials that have not ended, so that its learning rate is not known yet.
        interleaved_with: Key of the series of interleaved runs that it continues (see ``planning.interleaving``);
            ``None`` for an ordinary run.
    """

    spec: RunSpec
    must_be_new: bool = False
    is_timed: bool = False
    is_trial: bool = False
    is_tentative: bool = False
    interleaved_with: str | None = None

    @property
    def key(self) -> tuple[str, str | None]:
        """What distinguishes it from the other runs of a session: its run id and its series."""
        return self.spec.run_id, self.interleaved_with


@dataclass(kw_only=True)
class FinishedRuns:
    """The finished runs of a session.

    Attributes:
        records: Finished runs by run id, in the order in which they ended.
        reused: Run ids of those that an earlier session trained.
        interleaved: Series of interleaved runs by key, each in the order in which its runs were trained.
        num_changes: How often a run of an experiment was added or removed, by the experiment's id.
    """

    records: dict[str, RunRecord] = field(default_factory=dict)
    reused: set[str] = field(default_factory=set)
    interleaved: dict[str, list[RunRecord]] = field(default_factory=dict)
    num_changes: Counter[str] = field(default_factory=Counter)

    def add(self, needed: NeededRun, record: RunRecord, *, is_reused: bool = False) -> None:
        """Add the record of a run that was needed; interleaved ones in their order."""
        run_id = needed.spec.run_id
        self.num_changes[needed.spec.experiment_id] += 1
        if needed.interleaved_with is not None:
            self.interleaved.setdefault(needed.interleaved_with, []).append(record)
            # The first run of a configuration serves its accuracy verdict as well; a repetition replaces nothing.
            self.records.setdefault(run_id, record)
            return
        self.records[run_id] = record
        if is_reused:
            self.reused.add(run_id)
        else:
            self.reused.discard(run_id)

    def record(self, spec: RunSpec, *, must_be_new: bool = False) -> RunRecord | None:
        """Return the record of a run; ``None`` if it has not ended, or was reused although it must be new."""
        run_id = spec.run_id
        return None if must_be_new and run_id in self.reused else self.records.get(run_id)
