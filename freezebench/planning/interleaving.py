"""Interleaved runs: baseline (A) and frozen (B) runs in the order A B B A, which required savings are judged by.

A machine drifts: it warms up, and other programs come and go. Where each arm leads every other pair, a steady drift
adds the same to both arms and cancels in their ratio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.planning.finished import NeededRun
from freezebench.planning.tuning import run_spec
from freezebench.verdicts.resources import MIN_RUNS, interleaved

if TYPE_CHECKING:
    from freezebench.config.settings import Settings
    from freezebench.planning.finished import FinishedRuns
    from freezebench.records.run_record import RunRecord


def needed_interleaved_runs(settings: Settings, freeze: str, finished: FinishedRuns) -> list[NeededRun]:
    """Return the interleaved runs of a configuration that have not ended, in order; none after one that decides it.

    They are one block (see ``planning.blocks``) and never taken from the store: what is compared has to train on the
    same machine in the same minutes.
    """
    key = series_key(settings, freeze, finished)
    done = finished.interleaved.get(key, [])
    if any(ends_series(record) for record in done):
        return []
    needed = []
    arms = interleaved(MIN_RUNS)
    for position, arm in enumerate(arms):
        seed = settings.seed + arms[:position].count(arm)
        spec = run_spec(settings, "none" if arm == "A" else freeze, seed, finished)
        needed.append(NeededRun(spec=spec, must_be_new=True, interleaved_with=key))
    return needed[len(done) :]


def interleaved_pairs(settings: Settings, freeze: str, finished: FinishedRuns) -> list[tuple[RunRecord, RunRecord]]:
    """Return (baseline, frozen) pairs of a configuration's interleaved runs."""
    done = finished.interleaved.get(series_key(settings, freeze, finished), [])
    arms: dict[str, list[RunRecord]] = {"A": [], "B": []}
    for arm, record in zip(interleaved(MIN_RUNS), done, strict=False):
        arms[arm].append(record)
        if ends_series(record):
            # It ended the series, perhaps before its partner ran: then it is its own partner, so that a pair shows it.
            arms["A" if arm == "B" else "B"].append(record)
    return list(zip(arms["A"], arms["B"], strict=False))


def ends_series(record: RunRecord) -> bool:
    """Return whether a run leaves its series without a verdict: it is invalid, or other work disturbed it."""
    return not record.is_valid or record.is_contended


def series_key(settings: Settings, freeze: str, finished: FinishedRuns) -> str:
    """Return the key of the series of a configuration's interleaved runs."""
    return run_spec(settings, freeze, settings.seed, finished).run_id
