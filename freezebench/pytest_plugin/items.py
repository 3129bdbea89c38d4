"""Freeze tests among pytest's items: their markers, settings and freeze specs."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import pytest

from freezebench.errors import FreezebenchError, SettingsError
from freezebench.pytest_plugin.options import freeze_session
from freezebench.specs.node_ids import function_of
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from freezebench.config.settings import Settings

# What is wrong with the settings of the cases of a test function that was collected, by node id.
PROBLEMS = pytest.StashKey[dict[str, list[str]]]()
# The number of tests that a test function has for an experiment that all of its cases have, by node id and experiment.
NUM_TESTS = pytest.StashKey[dict[tuple[str, str], int]]()

# The grid of a test's case without the configurations that an added marker leaves out.
_REDUCED_GRID = pytest.StashKey[tuple[str, ...]]()

_MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Case:
    """A case of a freeze test, as it was collected; with several models or data sets, one experiment of it.

    Attributes:
        name: What error messages call it: the test with its case and its place.
        experiment: What the ids of its tests begin with; empty with one model and one data set.
        chosen: Its model and data set where there are several, by option name.
        grid: The freeze specs of its tests; empty if there is a problem.
        problem: What is wrong with its settings; an error only if it is selected.
    """

    name: str
    experiment: str = ""
    chosen: Mapping[str, str] = field(default_factory=dict)
    grid: tuple[str, ...] = ()
    problem: str | None = None


class CaseSpec(str):
    """The freeze spec of a test, as pytest's parameter, with the case that it belongs to.

    Attributes:
        case: The case.
    """

    __slots__ = ("case",)
    case: Case

    def __new__(cls, spec: str, case: Case) -> Self:
        """Return the text of a freeze spec; empty if the case has a problem."""
        new = super().__new__(cls, spec)
        new.case = case
        return new


def freeze_markers(item: pytest.Item) -> list[pytest.Mark]:
    """Return the freeze markers of a test, the closest first: added ones, then those of its case, then the function's.

    pytest has those of the function first.
    """
    closest = [*added_markers(item), *_case_markers(item)]
    return [*closest, *(mark for mark in item.iter_markers("freeze") if not _is_in(mark, closest))]


def added_markers(item: pytest.Item) -> list[pytest.Mark]:
    """Return the freeze markers of a test that are none of its case, function, class or module."""
    known = [*getattr(getattr(item, "function", None), "pytestmark", []), *_case_markers(item)]
    return [mark for mark in item.own_markers if mark.name == "freeze" and not _is_in(mark, known)]


def _case_markers(item: pytest.Item) -> list[pytest.Mark]:
    """Return the freeze markers that ``parametrize`` gives a test."""
    return [mark for mark in getattr(getattr(item, "callspec", None), "marks", []) if mark.name == "freeze"]


def marker_values(markers: Iterable[pytest.Mark], case: str) -> ChainMap[str, object]:
    """Return the arguments of freeze markers, marker by marker; the first one that sets an argument wins.

    Args:
        markers: Markers of a test, the closest first.
        case: What error messages call the test.

    Raises:
        SettingsError: If a marker has arguments without a name.
    """
    values: list[dict[str, object]] = []
    for marker in markers:
        if marker.name != "freeze":
            continue
        if marker.args:
            raise SettingsError(
                f"freeze marker of {case}: it takes named arguments only. Write freeze(grid='none,emb'), with the name "
                "of each argument."
            )
        values.append(dict(marker.kwargs))
    return ChainMap(*values)


def values_of(item: pytest.Item) -> ChainMap[str, object]:
    """Return the arguments of a test's freeze markers.

    Raises:
        SettingsError: If a marker has arguments without a name.
    """
    return marker_values(freeze_markers(item), case_name(item))


def settings_of(item: pytest.Item) -> Settings:
    """Return the settings of a freeze test, whose markers may have changed since it was collected.

    Raises:
        FreezebenchError: If an option or a marker has a bad value, or would give other configurations.
    """
    settings, case = _settings(item), case_of(item)
    if case is None:
        return settings
    before, now = grid_of(item, case), _grid(item, case, settings)
    if now != before:
        old, new = (listed(list(specs), _MOST_NAMED) for specs in (before, now))
        raise SettingsError(
            f"freeze marker of {case.name}: it would change the configurations from {old} to {new}, but was added "
            "after the test was collected. Set grid, model and num_layers with a decorator, or with "
            "pytest.param(..., marks=pytest.mark.freeze(...)). Hooks that collect tests may leave configurations out."
        )
    return settings


def grid_of(item: pytest.Item, case: Case) -> tuple[str, ...]:
    """Return the configurations of a test's case without those that an added marker leaves out."""
    return item.stash.get(_REDUCED_GRID, case.grid)


def take_added_grid(item: pytest.Item) -> bool:
    """Let a smaller grid of a marker that a hook has added replace that of a test; return whether the test stays."""
    case = case_of(item)
    if case is None or case.problem is not None:
        return True
    try:
        grid = _grid(item, case, _settings(item))
    except FreezebenchError:  # the check of the settings says what is wrong
        return True
    if not set(grid) <= set(case.grid):  # as above
        return True
    item.stash[_REDUCED_GRID] = grid
    return spec_of(item) in grid


def _settings(item: pytest.Item) -> Settings:
    case, options = case_of(item), freeze_session(item.config).options
    return options.settings(values_of(item), function_id(item), case_name(item), case.chosen if case else None)


def _grid(item: pytest.Item, case: Case, settings: Settings) -> tuple[str, ...]:
    options = freeze_session(item.config).options
    try:
        return tuple(map(str, options.grid(settings)))
    except FreezebenchError as error:
        raise type(error)(options.sentence(error, values_of(item), case.name)) from error


def case_name(item: pytest.Item) -> str:
    """Return what error messages call a test: its node id without the configuration, and its place."""
    case = case_of(item)
    return f"{item.nodeid} {place(item)}" if case is None else case.name


def case_of(item: pytest.Item) -> Case | None:
    """Return the case of a freeze test; ``None`` if the test is none, or sets ``freeze_spec`` itself."""
    spec = parameters(item).get("freeze_spec")
    return spec.case if isinstance(spec, CaseSpec) else None


def place(item: pytest.Item) -> str:
    """Return file and line of a test, in brackets."""
    path, line, _ = item.location
    return f"({path})" if line is None else f"({path}:{line + 1})"


def spec_of(item: pytest.Item) -> str:
    """Return the freeze spec of a freeze test."""
    return str(parameters(item)["freeze_spec"])


def planned_tests(items: Iterable[pytest.Item]) -> list[tuple[Settings, str]]:
    """Return settings and freeze spec of every test among the items that is going to train its configuration."""
    return [(settings_of(item), spec_of(item)) for item in planned_items(items)]


def planned_items(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the tests among the items that are going to train: they use ``freeze_run``, and no marker skips them."""
    return [item for item in freeze_items(items) if "freeze_run" in fixture_names(item) and _skip_reason(item) is None]


def items_without_training(config: pytest.Config, items: Iterable[pytest.Item]) -> dict[str, str]:
    """Return why tests that ask for training cannot train although no marker of theirs skips them, by node id."""
    reasons = {}
    for item in items:
        names = fixture_names(item)
        # A marker of a module or a class may be for other tests than this one.
        has_own_settings = any(marker.name == "freeze" and marker.kwargs for marker in item.own_markers)
        if "freeze_run" in names:
            skip_reason = _skip_reason(item)
            if skip_reason is not None and _is_skipped_by_plugin(config, skip_reason):
                reasons[item.nodeid] = f"Skipped ({skip_reason})"
        elif has_own_settings and "freeze_spec" not in names and _skip_reason(item) is None:
            reasons[item.nodeid] = "Without the argument freeze_run"
    return reasons


def freeze_items(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the freeze tests among the items."""
    return [item for item in items if case_of(item) is not None]


def function_id(item: pytest.Item) -> str:
    """Return the node id of an item's test function, without parameters."""
    return function_of(item.nodeid)


def id_alone(item: pytest.Item) -> str:
    """Return the node id that a test has in a session of its own model and data set, where it has several."""
    case, function = case_of(item), function_id(item)
    if case is None or not case.experiment:
        return item.nodeid
    spec = spec_of(item)
    return function + item.nodeid.removeprefix(function).replace(f"{case.experiment}-{spec}", spec, 1)


def _is_in(mark: pytest.Mark, marks: Iterable[pytest.Mark]) -> bool:
    """Return whether a marker is one of several; equal ones are others."""
    return any(mark is other for other in marks)


def fixture_names(item: pytest.Item) -> Sequence[str]:
    """Return the names of all fixtures that a test uses; none for an item that is no function."""
    return getattr(item, "fixturenames", ())


def _skip_reason(item: pytest.Item) -> str | None:
    """Return why a marker keeps a test from running (skip, skipif, xfail with run=False); ``None``: it runs."""
    if not item.config.pluginmanager.hasplugin("skipping"):
        return None
    from _pytest.skipping import evaluate_skip_marks, evaluate_xfail_marks

    try:
        skip, xfail = evaluate_skip_marks(item), evaluate_xfail_marks(item)
    except pytest.fail.Exception:
        return None  # a condition that cannot be evaluated fails the test
    if skip is not None:
        return skip.reason
    return None if xfail is None or xfail.run or item.config.option.runxfail else xfail.reason


def _is_skipped_by_plugin(config: pytest.Config, skip_reason: str) -> bool:
    """Return whether a marker was set by pytest or a plugin, so that the author of the test did not want it skipped."""
    is_by_benchmark = config.getoption("benchmark_skip", False) and "--benchmark-skip" in skip_reason
    return is_by_benchmark or skip_reason.startswith("got empty parameter set")


def parameters(item: pytest.Item) -> dict[str, object]:
    """Return the values with which a test was parametrized, by argument."""
    return getattr(getattr(item, "callspec", None), "params", {})
