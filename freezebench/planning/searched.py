"""The search over the prefixes of a table: what its looks show, and what its configurations need or have as results."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from freezebench.planning.looks import with_savings
from freezebench.planning.results import is_open, result_of_look
from freezebench.planning.rounds import Group, Round, missing_runs
from freezebench.planning.search import LookOutcome, search
from freezebench.specs.freeze import FreezeSpec
from freezebench.verdicts.crossed import t_quantile
from freezebench.verdicts.judge import ConfigurationResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezebench.config.settings import Settings
    from freezebench.planning.finished import FinishedRuns, NeededRun
    from freezebench.planning.search import Search
    from freezebench.verdicts.noninferiority import Verdict


def is_searched(settings: Settings, freeze: str) -> bool:
    """Return whether a search decides if a configuration is trained: the prefixes of a grid with ``search``."""
    return settings.searches and freeze != "none" and FreezeSpec.parse(freeze).is_prefix


def search_of(settings: Settings, grid: Iterable[str], finished: FinishedRuns, *, with_times: bool) -> Search:
    """Return how far the search of a table has come.

    Args:
        settings: The settings of the tests.
        grid: Canonical ids of all configurations of the table.
        finished: The runs that have ended.
        with_times: Whether required savings of time and energy are checked.
    """
    ladder = [freeze for freeze in grid if is_searched(settings, freeze)]
    ladder.sort(key=lambda freeze: FreezeSpec.parse(freeze).frozen_order)
    return search(ladder, settings.looks.counts, partial(_look, settings, finished, with_times))


def current_round(
    settings: Settings, found: Search, finished: FinishedRuns, *, with_times: bool
) -> tuple[Group, Round] | None:
    """Return the look that lacks runs, at one depth with the baseline; ``None`` once the search has ended."""
    trial = found.current
    return None if trial is None else _round(settings, trial.freeze, trial.num_seeds, finished, with_times=with_times)


def searched_step(
    settings: Settings, freeze: str, found: Search, finished: FinishedRuns, *, with_times: bool
) -> list[NeededRun] | ConfigurationResult:
    """Return the runs that the search needs before one of its configurations has a result, or that result."""
    trial = next((trial for trial in found.trials if trial.freeze == freeze), None)
    if trial is not None and trial.outcome is not None:
        result = result_of_look(settings, freeze, trial.num_seeds, finished)
        return with_savings(settings, result, finished, with_times=with_times)
    current = current_round(settings, found, finished, with_times=with_times)
    if current is not None:
        return list(current[1].missing)
    return ConfigurationResult.not_run(freeze, not_needed=_answer(found))


def searched_so_far(
    settings: Settings, freeze: str, found: Search, finished: FinishedRuns, *, with_times: bool
) -> ConfigurationResult | None:
    """Return the result of the latest look of a search at a depth that lacks no runs; ``None`` without one."""
    trial = next((trial for trial in found.trials if trial.freeze == freeze), None)
    if trial is None:
        return None
    last = trial.num_seeds
    counts = [count for count in settings.looks.counts if count < last or (count == last and trial.outcome)]
    if not counts:
        return None
    result = result_of_look(settings, freeze, counts[-1], finished)
    return with_savings(settings, result, finished, with_times=with_times)


def _round(
    settings: Settings, freeze: str, num_seeds: int, finished: FinishedRuns, *, with_times: bool
) -> tuple[Group, Round]:
    """Return one look at one depth."""
    is_timed = with_times and settings.costs.needs_paired_runs(freeze)
    group = Group(candidates=(freeze,), interleaved=frozenset([freeze] if is_timed else []))
    missing, is_stopped = missing_runs(settings, group, group.candidates, num_seeds, finished)
    return group, Round(
        num_seeds=num_seeds, candidates=group.candidates, missing=tuple(missing), is_stopped=is_stopped, pooled=None
    )


def _look(
    settings: Settings, finished: FinishedRuns, with_times: bool, freeze: str, num_seeds: int
) -> LookOutcome | None:
    """Return what a depth shows with a number of seeds; ``None`` if runs are missing."""
    _, current = _round(settings, freeze, num_seeds, finished, with_times=with_times)
    if current.missing:
        return None
    result = result_of_look(settings, freeze, num_seeds, finished)
    verdict = result.verdict
    if verdict is None or verdict.drop_pp is None:
        # More seeds may show that the baseline has learned something.
        awaits_baseline = not current.is_stopped and is_open(settings, result)
        return LookOutcome(is_safe=False, may_become_safe=awaits_baseline, has_baseline=not current.is_stopped)
    is_undecided = not verdict.is_decided
    return LookOutcome(
        is_safe=verdict.outcome == "non_inferior",
        may_become_safe=is_undecided and verdict.drop_pp < settings.margin_pp,
        is_open_in_all=is_undecided and not _is_decided_at(verdict, settings.looks.shared_by(1).alpha),
    )


def _is_decided_at(verdict: Verdict, alpha: float) -> bool:
    """Return whether an undecided verdict would be decided at another error rate."""
    interval = verdict.interval
    if interval is None or interval.num_seeds == 1:
        return False
    return bool(t_quantile(1 - alpha, interval.df) * interval.se_pp < abs(verdict.margin_pp - interval.drop_pp))


def _answer(found: Search) -> str:
    """Return what a search found, as the end of a sentence."""
    last = found.trials[-1].outcome if found.trials else None
    if last is not None and not last.has_baseline:
        return "the unfrozen baseline is invalid, which ended the search"
    deeper = f"; {found.next_deeper} is not shown to be non-inferior" if found.next_deeper else ", and none is deeper"
    if found.deepest_safe is None:
        return f"the search found no non-inferior prefix{deeper}"
    return f"the search found {found.deepest_safe} to be the deepest safe prefix{deeper}"
