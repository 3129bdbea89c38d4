"""The comparison of a session's tests with a saved run.

The saved partner of every test is found before anything trains, so that a limit which no run could decide is refused at
once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.errors import SettingsError
from freezebench.records.contention import contention_reason
from freezebench.records.saved import SavedConfiguration, from_records
from freezebench.verdicts.compare import Comparison, compare_pair
from freezebench.verdicts.matching import differences, match
from freezebench.verdicts.resources import MIN_RUNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.config.settings import Settings
    from freezebench.records.saved import SavedRun
    from freezebench.specs.limits import CostLimits
    from freezebench.verdicts.compare import Pair
    from freezebench.verdicts.gate import Part
    from freezebench.verdicts.judge import ConfigurationResult

HOW_TO_SAVE = "Save one with: pytest benchmarks --benchmark-save=NAME, then: pytest benchmarks --benchmark-compare"
_TIMED = ("max_time", "max_energy")


def limits_times(settings: Settings, freeze: str, *, with_times: bool) -> bool:
    """Return whether time or energy of a configuration is limited by that of a saved run."""
    limits = settings.costs.named(*_TIMED) if with_times else {}
    return any(limit.get(freeze) is not None for limit in limits.values())


class Reference:
    """A saved run that the tests of this session are compared with.

    Attributes:
        notes: Sentences to show before training: what is not compared, and which limits cannot be decided.
        saved: The saved run; ``None``: there is none.
    """

    def __init__(
        self,
        saved: SavedRun | None,
        planned: Sequence[tuple[Settings, SavedConfiguration]],
        *,
        with_times: bool = True,
    ) -> None:
        """Find the partner of every test, and refuse limits that could not be judged.

        Args:
            saved: The saved run; ``None``: there is none.
            planned: Settings of every test that is going to run, and its configuration, still without runs.
            with_times: Whether limits on time and energy count.

        Raises:
            SettingsError: If a limit cannot be judged against this saved run, or undecided tests fail and it could
                only be undecided.
        """
        self.saved = saved
        self._with_times = with_times
        self._pairs: dict[str, Pair] = {}
        self._planned = planned
        pairs = match(saved.configurations, [new for _, new in planned]) if saved else []
        self._partners = {str(new.node_id): old for old, new in pairs}
        notes = (
            [f"--benchmark-compare found no saved run: nothing is compared. {HOW_TO_SAVE}."] if saved is None else []
        )
        for settings, new in planned:
            self._refuse_unjudgeable(new, self._costs(settings))
            notes += self._too_few_runs(settings, new)
        self.notes = tuple(dict.fromkeys(notes))

    def judge(self, node_id: str, settings: Settings, result: ConfigurationResult) -> tuple[Part, ...]:
        """Return the limits of a test that are judged against its partner; none without a partner."""
        old = self._partners.get(node_id)
        if old is None:
            return ()
        new = from_records(result.freeze, result.records, broken=result.broken, node_id=node_id)
        pair = compare_pair(old, new, margin_pp=settings.margin_pp, costs=self._costs(settings))
        self._pairs[node_id] = pair
        # A run that broke fails its test by itself, with its own cause.
        return () if new.broken else pair.parts

    def comparison(self) -> Comparison | None:
        """Return what was compared so far, and what has no partner; ``None`` if there is no saved run."""
        if self.saved is None:
            return None
        matched = {id(partner) for partner in self._partners.values()}
        return Comparison(
            source=self.saved.source,
            date=self.saved.date,
            pairs=tuple(self._pairs.values()),
            only_old=tuple(old.name for old in self.saved.configurations if id(old) not in matched),
            only_new=tuple(new.name for _, new in self._planned if new.node_id not in self._partners),
        )

    def _costs(self, settings: Settings) -> CostLimits:
        return settings.costs if self._with_times else settings.costs.memory_only

    def _refuse_unjudgeable(self, new: SavedConfiguration, costs: CostLimits) -> None:
        """Refuse limits against a saved run that no training could ever decide.

        Raises:
            SettingsError: If there is no saved run, no partner in it, or what it ran is not comparable.
        """
        # Accuracy needs no limit of its own, so a test without these is compared as far as it can be.
        limits = costs.named(*_TIMED, "max_memory")
        limited = {name: limit.get(new.freeze) for name, limit in limits.items() if limit.get(new.freeze) is not None}
        if not limited:
            return
        name, number = next(iter(limited.items()))
        request = f"--freeze-{name.replace('_', '-')}: {new.node_id} is limited to {number:g}× the saved run's figure"
        old = self._partners.get(str(new.node_id))
        if self.saved is None:
            raise SettingsError(f"{request}, but there is no saved run to compare with. {HOW_TO_SAVE}.")
        if old is None:
            raise SettingsError(f"{request}, but {self.saved.source} holds no such configuration. {HOW_TO_SAVE}.")
        differing = [f"it broke there: {old.broken.rstrip('.')}"] if old.broken else differences(old, new)
        if name in _TIMED and old.contended_shares and len(old.quiet.runs) < MIN_RUNS:
            differing.append(contention_reason(old.contended_shares, len(old.runs), runs="runs"))
        if self._with_times and new.device_name is not None and old.device_name != new.device_name:
            differing.append(f"device {old.device_name} → {new.device_name}")
        if differing:
            raise SettingsError(
                f"{request}, but {self.saved.source} is not comparable: {', '.join(differing)}. {HOW_TO_SAVE}."
            )

    def _too_few_runs(self, settings: Settings, new: SavedConfiguration) -> list[str]:
        """Return why a limit on time or energy cannot be decided by the planned and the saved runs.

        Raises:
            SettingsError: If undecided tests fail: the run could only fail.
        """
        old = self._partners.get(str(new.node_id))
        if old is None or not limits_times(settings, new.freeze, with_times=self._with_times):
            return []
        planned, saved = settings.looks.max_seeds, len(old.runs)
        if min(planned, saved) >= MIN_RUNS:
            return []
        note = (
            f"limits on time and energy need {MIN_RUNS} runs on both sides; {planned} are planned and {saved} saved "
            f"for {new.freeze}: use --freeze-num-seeds={MIN_RUNS}, in the saved run as well"
        )
        if settings.policy(new.freeze) == "fail":
            raise SettingsError(f"{note}. Undecided tests fail (--freeze-inconclusive=fail): the run could only fail.")
        return [f"{note}; they stay undecided."]
