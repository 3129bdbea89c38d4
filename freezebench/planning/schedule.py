"""The session's executor: owns the runs, does each one once, and extends every configuration until it is decided."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError
from freezebench.records.run_record import RunRecord
from freezebench.verdicts.judge import judge, pooled_over
from freezebench.verdicts.power import needs_more
from freezebench.verdicts.resources import MIN_RUNS, interleaved
from freezebench.verdicts.savings import savings_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezebench.config.settings import Settings
    from freezebench.runs.reuse import Reuse
    from freezebench.specs.run import RunSpec
    from freezebench.verdicts.judge import ConfigurationResult
    from freezebench.verdicts.pooling import PooledSeedVariance


class Executor:
    """Runs what is asked for, each run once, in the order of asking.

    Attributes:
        records: Every finished run by run id, in the order in which they ran.
    """

    def __init__(self, run: Callable[[RunSpec], RunRecord], reuse: Reuse | None = None) -> None:
        """Take the function that trains, which may raise FreezebenchError, and runs of earlier sessions."""
        self._run = run
        self._reuse = reuse
        self._reused: set[str] = set()
        self._pairs: dict[str, list[tuple[RunRecord, RunRecord]]] = {}
        self.records: dict[str, RunRecord] = {}

    def record(self, spec: RunSpec, *, of_today: bool = False) -> RunRecord:
        """Return the record of a run, training now if it has not run yet; what cannot run is an invalid record.

        Args:
            spec: What to run.
            of_today: Whether runs of earlier sessions do not count, because times are going to be judged.
        """
        run_id = spec.run_id
        if of_today and run_id in self._reused:
            self._reused.remove(run_id)
            del self.records[run_id]
        if run_id not in self.records:
            found = self._reuse.find(spec) if self._reuse and not of_today else None
            if found is not None:
                self._reused.add(run_id)
            self.records[run_id] = found or self._fresh(spec)
        return self.records[run_id]

    def _fresh(self, spec: RunSpec) -> RunRecord:
        """Train now, whatever ran before."""
        try:
            record = self._run(spec)
        except FreezebenchError as error:
            started_at = datetime.now(UTC).isoformat(timespec="seconds")
            record = RunRecord(spec=spec, status="invalid", cause="crash", reason=str(error), started_at=started_at)
        if self._reuse:
            self._reuse.keep(record)
        self.records.setdefault(spec.run_id, record)
        return record

    def run_seeds(self, settings: Settings, freeze: str, num_seeds: int) -> list[RunRecord]:
        """Return one configuration's runs, stopping at the first invalid one: more seeds would not mend it."""
        records = []
        for seed in settings.seeds[:num_seeds]:
            of_today = settings.costs.need_reference
            records.append(self.record(settings.run_spec(freeze, seed), of_today=of_today))
            if not records[-1].is_valid:
                break
        return records

    def result(
        self, settings: Settings, freeze: str, *, grid: Sequence[str] = (), with_times: bool = True
    ) -> ConfigurationResult:
        """Return one configuration's result, training whatever is missing; the unfrozen runs come first.

        Seeds are added, look by look, until margin and limit are decided or the last look is reached; the baseline is
        extended along with them. Nothing is trained to be compared with a baseline that broke.

        Args:
            settings: What was asked for.
            freeze: Canonical id of the configuration.
            grid: All configurations of the session, over which the variance between seeds may be pooled.
            with_times: Whether required savings of time and energy are checked, which takes further runs.
        """
        unfrozen = self._look(settings, "none", settings.looks.counts[0])
        if freeze == "none" or unfrozen.broken:
            return unfrozen if freeze == "none" else self._judge(settings, freeze, [], unfrozen.records)
        if settings.pool_seeds:
            for spec in grid:
                self.run_seeds(settings, spec, settings.looks.counts[0])
        pairs: list[tuple[RunRecord, RunRecord]] = []
        if with_times and settings.costs.needs_paired_runs(freeze):
            # First, so that this configuration's runs stand beside unfrozen ones of the same minutes.
            pairs = self._interleave(settings, freeze)
        result = self._looks(settings, freeze, grid if settings.pool_seeds else ())
        if result.broken:
            return result
        limits = settings.costs if with_times else settings.costs.memory_only
        parts = savings_parts(freeze, limits, records=result.records, baseline=result.baseline, pairs=pairs)
        return replace(result, parts=parts)

    def unfrozen(self, settings: Settings) -> ConfigurationResult:
        """Return the baseline with all the seeds that have run so far, training none."""
        records = self._finished(settings, "none")
        return self._judge(settings, "none", records, records)

    def _looks(self, settings: Settings, freeze: str, grid: Sequence[str]) -> ConfigurationResult:
        """Judge one configuration after every look, until it is decided."""
        num_seeds: int | None = settings.looks.counts[0]
        while True:
            result = self._look(settings, freeze, num_seeds or 0, grid)
            verdicts = [verdict for verdict in (result.verdict, result.gate) if verdict is not None]
            num_seeds = needs_more(verdicts, settings.looks)
            if num_seeds is None:
                return result

    def _look(self, settings: Settings, freeze: str, num_seeds: int, grid: Sequence[str] = ()) -> ConfigurationResult:
        """Train up to so many seeds of one configuration and the baseline, and judge them."""
        baseline = self.run_seeds(settings, "none", num_seeds)
        if freeze == "none" or not baseline[-1].is_valid:
            return self._judge(settings, freeze, baseline if freeze == "none" else [], baseline)
        records = self.run_seeds(settings, freeze, num_seeds)
        pooled = None
        if grid:
            arms = {spec: self._finished(settings, spec) for spec in (*grid, freeze)}
            pooled = pooled_over(arms, self._finished(settings, "none"))
        return self._judge(settings, freeze, records, baseline, pooled)

    def _finished(self, settings: Settings, freeze: str) -> list[RunRecord]:
        """Return the runs of one configuration that have ended, in the order of their seeds."""
        specs = [settings.run_spec(freeze, seed) for seed in settings.seeds]
        return [self.records[spec.run_id] for spec in specs if spec.run_id in self.records]

    def _judge(
        self,
        settings: Settings,
        freeze: str,
        records: Sequence[RunRecord],
        baseline: Sequence[RunRecord],
        pooled: PooledSeedVariance | None = None,
    ) -> ConfigurationResult:
        return judge(
            freeze,
            records,
            baseline,
            margin_pp=settings.margin_pp,
            limit_pp=settings.max_drop.get(freeze) if settings.limits_from else None,
            alpha=settings.looks.alpha,
            pooled=pooled,
        )

    def _interleave(self, settings: Settings, freeze: str) -> list[tuple[RunRecord, RunRecord]]:
        """Return unfrozen and frozen runs, done once in the order A B B A, so that the machine's drift cancels."""
        key = settings.run_spec(freeze, settings.seed).run_id
        if key not in self._pairs:
            runs: dict[str, list[RunRecord]] = {"A": [], "B": []}
            for arm in interleaved(MIN_RUNS):
                spec = settings.run_spec("none" if arm == "A" else freeze, settings.seed + len(runs[arm]))
                record = self._fresh(spec)
                runs[arm].append(record)
                if not record.is_valid:
                    # It may have no partner yet: the pair has to show it all the same.
                    runs["A" if arm == "B" else "B"].append(record)
                    break
            self._pairs[key] = list(zip(runs["A"], runs["B"], strict=False))
        return self._pairs[key]
