"""Runs that broke by a fault that another attempt may not have, which a rerun of their test trains again.

Runs that failed by their figures stay: training them until a test passes would make every limit meaningless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.planning.interleaving import series_key

if TYPE_CHECKING:
    from freezebench.config.settings import Settings
    from freezebench.planning.finished import FinishedRuns
    from freezebench.records.run_record import RunRecord

_CAUSES = ("crash", "killed", "timeout", "out_of_memory")


def forget_faults(settings: Settings, freeze: str, finished: FinishedRuns) -> list[RunRecord]:
    """Remove the runs of a configuration and of its baseline that broke by such a fault, and return them."""
    records = [
        record for name in dict.fromkeys(("none", freeze)) for record in finished.of_configuration(settings, name)
    ]
    forgotten = [record for record in records if record.cause in _CAUSES]
    finished.num_changes[settings.experiment.experiment_id] += 1
    for record in forgotten:
        del finished.records[record.spec.run_id]
    # A run that breaks is the last one of its series, which trains anew as a whole: in the same minutes.
    series = finished.interleaved.get(series_key(settings, freeze), [])
    if series and series[-1].cause in _CAUSES:
        last = finished.interleaved.pop(series_key(settings, freeze))[-1]
        if last not in forgotten:
            forgotten.append(last)
    return forgotten
