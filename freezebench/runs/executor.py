"""The session's executor: owns the runs, does each one once, and extends the baseline on demand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError
from freezebench.records.run_record import RunRecord
from freezebench.verdicts.judge import judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezebench.settings import Settings
    from freezebench.specs.run import RunSpec
    from freezebench.verdicts.judge import ConfigurationResult


class Executor:
    """Runs what is asked for, each run once, in the order of asking.

    Attributes:
        records: Every finished run by run id, in the order in which they ran.
    """

    def __init__(self, run: Callable[[RunSpec], RunRecord]) -> None:
        """Take the function that trains: it may raise FreezebenchError."""
        self._run = run
        self.records: dict[str, RunRecord] = {}

    def record(self, spec: RunSpec) -> RunRecord:
        """Return the record of a run, training now if it has not run yet; what cannot run is an invalid record."""
        if spec.run_id not in self.records:
            try:
                record = self._run(spec)
            except FreezebenchError as error:
                started_at = datetime.now(UTC).isoformat(timespec="seconds")
                record = RunRecord(spec=spec, status="invalid", cause="crash", reason=str(error), started_at=started_at)
            self.records[spec.run_id] = record
        return self.records[spec.run_id]

    def run_seeds(self, settings: Settings, freeze: str) -> list[RunRecord]:
        """Return one configuration's runs, stopping at the first invalid one: more seeds would not mend it."""
        records = []
        for seed in settings.seeds:
            records.append(self.record(settings.run_spec(freeze, seed)))
            if not records[-1].is_valid:
                break
        return records

    def result(self, settings: Settings, freeze: str) -> ConfigurationResult:
        """Return one configuration's result, training whatever is missing; the unfrozen runs come first.

        Nothing is trained to be compared with a baseline that broke.
        """
        baseline = self.run_seeds(settings, "none")
        unfrozen = judge("none", baseline, baseline, margin_pp=settings.margin_pp, limit_pp=None)
        if freeze == "none":
            return unfrozen
        return judge(
            freeze,
            [] if unfrozen.broken else self.run_seeds(settings, freeze),
            baseline,
            margin_pp=settings.margin_pp,
            limit_pp=settings.max_drop.get(freeze) if settings.limits_from else None,
        )
