"""What is refused before training: limits and comparisons that no run could decide against a saved run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.config.session_settings import in_ci
from freezebench.errors import SettingsError
from freezebench.records.contention import contention_reason
from freezebench.records.reference_search import HOW_TO_SAVE
from freezebench.units import listed, with_unit
from freezebench.verdicts.matching import differences
from freezebench.verdicts.resources import MIN_RUNS

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from freezebench.config.settings import Settings
    from freezebench.records.reference_search import RequestedRun
    from freezebench.records.saved import SavedConfiguration
    from freezebench.specs.limits import CostLimits
    from freezebench.verdicts.matching import Difference

_TIMED = ("max_time", "max_energy")
_COSTS = (*_TIMED, "max_memory")
_MOST_NAMED = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class PlannedTest:
    """A test that is going to run.

    Attributes:
        settings: Its settings.
        configuration: Its configuration, still without runs.
        grid: Freeze specs of all tests of its function, those that are not selected included.
    """

    settings: Settings
    configuration: SavedConfiguration
    grid: frozenset[str] = frozenset()


def _differences(old: SavedConfiguration, test: PlannedTest) -> list[Difference]:
    """Return how a test differs from a saved one; a rate that trials will choose is compared once it is known."""
    found = differences(old, test.configuration)
    return [item for item in found if not (item.is_harmless or (item.name == "lr" and test.settings.tune_lr))]


def limits_times(settings: Settings, freeze: str, *, with_times: bool) -> bool:
    """Return whether time or energy of a configuration is limited by that of a saved run."""
    limits = settings.costs.named(*_TIMED) if with_times else {}
    return any(limit.get(freeze) is not None for limit in limits.values())


def refuse_incomparable(
    request: RequestedRun,
    pairs: Sequence[tuple[PlannedTest, SavedConfiguration | None]],
    across: Container[str | None],
) -> str:
    """Return a note if a configuration could not be compared with its partner, or none has a partner; else empty.

    Args:
        request: The saved run.
        pairs: The tests that are going to run, each with its partner; ``None``: it has none.
        across: Names of what may differ.

    Raises:
        SettingsError: The note, where the session must not start then.
    """
    if request.saved is None or not pairs:
        return ""
    matched = [(test, old) for test, old in pairs if old is not None]
    if not matched:
        held = enumerated(old.name for old in request.saved.configurations)
        planned = enumerated(test.configuration.name for test, _ in pairs)
        problem = f"nothing could be compared: {request.saved.source} holds {held}, and this session runs {planned}"
        nothing = f"{request.option}: {problem}. {_advice(request)}"
        if request.is_required:
            raise SettingsError(nothing)
        return nothing
    # Configurations mostly differ in the same things, which are then said once.
    names: dict[str, list[str]] = {}
    refused: list[Difference] = []
    for test, old in matched:
        found = [item for item in _differences(old, test) if item.name not in across]
        refused += found
        reason = f"it is invalid there: {old.broken.rstrip('.')}" if old.broken else ", ".join(i.text for i in found)
        if reason:
            names.setdefault(reason, []).append(test.configuration.name)
    if not names:
        return ""
    reasons = "; ".join(f"{enumerated(tests)}: {reason}" for reason, tests in names.items())
    note = f"{request.option}: not comparable with {request.saved.source}: {reasons}. {_advice(request, refused)}"
    if request.is_required:
        raise SettingsError(note)
    return note


def refuse_single_seeds(request: RequestedRun, pairs: Sequence[tuple[PlannedTest, SavedConfiguration | None]]) -> str:
    """Return a note if all comparisons have one seed on a side, which decides nothing; empty if some have more.

    Raises:
        SettingsError: If nobody would read the note, since this is continuous integration.
    """
    counts = [(test.settings.looks.max_seeds, len(old.runs)) for test, old in pairs if old is not None]
    if request.saved is None or not counts or any(min(count) > 1 for count in counts):
        return ""
    planned, saved = counts[0]
    note = (
        f"{request.option}: one seed cannot tell training noise from a change, so that every verdict is inconclusive: "
        f"{planned} planned, {saved} in {request.saved.source}. Use --freeze-num-seeds=3 or more, there as well."
    )
    if in_ci():
        raise SettingsError(note)
    return note


def refuse_unjudgeable(
    request: RequestedRun,
    pair: tuple[PlannedTest, SavedConfiguration | None],
    costs: CostLimits,
    across: Container[str | None],
) -> None:
    """Refuse limits against a saved run that no training could ever decide.

    Args:
        request: The saved run.
        pair: The test and its partner; ``None``: it has none.
        costs: The limits on time, energy and memory that count.
        across: Names of what may differ.

    Raises:
        SettingsError: If there is no saved run, no partner in it, or what it ran is not comparable.
    """
    (test, old), saved = pair, request.saved
    new = test.configuration
    limit = _first_limit(test.settings, costs, new)
    if limit is None:
        return
    name, text = limit
    asked = f"--freeze-{name.replace('_', '-')}: {new.node_id} is limited to {text}"
    if saved is None:
        raise SettingsError(
            f"{asked}, but there is no saved run to compare with. {request.elsewhere or HOW_TO_SAVE + '.'}"
        )
    if old is None:
        raise SettingsError(
            f"{asked}, but {saved.source} holds no such configuration. Save a new one, or let it have no partner "
            f"with --freeze-allow-unmatched={new.freeze}."
        )
    refused = [] if old.broken else [item for item in _differences(old, test) if item.name not in across]
    differing = [f"it broke there: {old.broken.rstrip('.')}"] if old.broken else [item.text for item in refused]
    if name in _TIMED and old.contended_shares and len(old.quiet.runs) < MIN_RUNS:
        differing.append(contention_reason(old.contended_shares, len(old.runs), runs="runs"))
    models = {old.device_name, *old.num_runs_by_model}
    if name in _COSTS and new.device_name not in models and None not in (old.device_name, new.device_name):
        differing.append(f"device {old.device_name} → {new.device_name}")
    if differing:
        advice = _advice(request, refused) if refused else f"{HOW_TO_SAVE}."
        raise SettingsError(f"{asked}, but {saved.source} is not comparable: {', '.join(differing)}. {advice}")


def too_few_runs(settings: Settings, freeze: str, old: SavedConfiguration | None, *, with_times: bool) -> str:
    """Return why a limit on time or energy cannot be decided by the planned and the saved runs; empty if it can.

    Raises:
        SettingsError: If undecided tests fail: the run could only fail.
    """
    if old is None or not limits_times(settings, freeze, with_times=with_times):
        return ""
    planned, saved = settings.looks.max_seeds, len(old.runs)
    if min(planned, saved) >= MIN_RUNS:
        return ""
    note = (
        f"limits on time and energy need {MIN_RUNS} runs on both sides; {planned} are planned and {saved} saved "
        f"for {freeze}: use --freeze-num-seeds={MIN_RUNS}, in the saved run as well"
    )
    if settings.policy(freeze) == "fail":
        raise SettingsError(f"{note}. Inconclusive tests fail (--freeze-inconclusive=fail): the run could only fail.")
    return f"{note}; they stay inconclusive."


def enumerated(names: Iterable[str]) -> str:
    """Return names separated by commas, the first few of many."""
    return listed(list(names), _MOST_NAMED)


def _first_limit(settings: Settings, costs: CostLimits, new: SavedConfiguration) -> tuple[str, str] | None:
    """Return name and text of a configuration's limit against a saved run, the most demanding one of several."""
    for name, limit in costs.named(*_COSTS).items():
        if (ratio := limit.get(new.freeze)) is not None:
            return name, f"{ratio:g}× the saved run's figure"
    points, metric = settings.max_regression.get(new.freeze), new.metric
    if points is None:
        return None
    side = "below" if metric.higher_is_better else "above"
    return "max_regression", f"{with_unit(points, metric.unit)} {side} the saved run"


def _advice(request: RequestedRun, refused: Sequence[Difference] = ()) -> str:
    """Return what can be done so that configurations become comparable."""
    admissible = dict.fromkeys(item.name for item in refused if item.name is not None)
    advice = "Undo the change" if refused else "Name another saved run"
    across = f", compare across it with --freeze-compare-across={','.join(admissible)}" if admissible else ""
    fixed = dict.fromkeys(item.fixed_part for item in refused if item.name is None)
    have = "has" if len(fixed) == 1 else "have"
    same = f" (the {' and the '.join(fixed)} {have} to be the same)" if fixed else ""
    save = f"or save a new one: pytest TESTS --benchmark-save=NAME. {request.elsewhere}"
    return f"{advice}{across}{same}, {save}".rstrip()
