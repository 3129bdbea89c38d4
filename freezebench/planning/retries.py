"""Runs that broke by a fault that another attempt may not have, which a rerun of their test trains again.

Runs that failed by their figures stay: training them until a test passes would make every limit meaningless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.planning.interleaving import series_key
from freezebench.planning.tuning import run_spec, trial_specs, tuning_fault

if TYPE_CHECKING:
    from freezebench.config.settings import Settings
    from freezebench.planning.finished import FinishedRuns
    from freezebench.records.run_record import RunRecord

_CAUSES = ("crash", "killed", "timeout", "out_of_memory")


def forget_faults(settings: Settings, freeze: str, finished: FinishedRuns) -> list[RunRecord]:
    """Remove the runs of a configuration and of its baseline that broke by such a fault, and return them."""
    specs = []
    for name in dict.fromkeys(("none", freeze)):
        # One trial that broke among others stays: its configuration has a rate.
        has_no_rate = tuning_fault(settings, name, finished) is not None
        specs += trial_specs(settings, name) if has_no_rate else []
        specs += [run_spec(settings, name, seed, finished) for seed in settings.seeds]
    records = [record for spec in specs if (record := finished.records.get(spec.run_id)) is not None]
    forgotten = [record for record in records if record.cause in _CAUSES]
    key = series_key(settings, freeze, finished)  # which rests on trials that may be forgotten
    finished.num_changes[settings.experiment.experiment_id] += 1
    for record in forgotten:
        del finished.records[record.spec.run_id]
    # A run that breaks is the last one of its series, which trains anew as a whole: in the same minutes.
    series = finished.interleaved.get(key, [])
    if series and series[-1].cause in _CAUSES:
        last = finished.interleaved.pop(key)[-1]
        if last not in forgotten:
            forgotten.append(last)
    return forgotten
