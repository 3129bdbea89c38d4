"""Freeze tests among pytest's items: their markers, settings and freeze specs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from freezebench.errors import FreezebenchError
from freezebench.pytest_plugin.options import freeze_session
from freezebench.specs.node_ids import function_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezebench.config.settings import Settings

# What is wrong with a test's settings, by node id: an error only if the test is selected.
SETTINGS_ERRORS = pytest.StashKey[dict[str, str]]()


def marker_values(node: pytest.Item | pytest.Function) -> dict[str, object]:
    """Return the arguments of a test's freeze markers; the closest one wins.

    Raises:
        FreezebenchError: If a marker has arguments without a name.
    """
    values: dict[str, object] = {}
    for marker in node.iter_markers("freeze"):
        if marker.args:
            raise FreezebenchError(
                f"{node.nodeid}: the freeze marker takes named arguments only, such as freeze(grid='none,emb')."
            )
        values = {**marker.kwargs, **values}
    return values


def settings_of(item: pytest.Item) -> Settings:
    """Return the settings of a freeze test.

    Raises:
        FreezebenchError: If an option or the marker has a bad value.
    """
    return freeze_session(item.config).options.settings(marker_values(item), function_id(item))


def spec_of(item: pytest.Item) -> str:
    """Return the freeze spec of a freeze test."""
    return str(_parameters(item)["freeze_spec"])


def planned_tests(config: pytest.Config, items: Iterable[pytest.Item]) -> list[tuple[Settings, str]]:
    """Return settings and freeze spec of every test among the items that is going to train its configuration."""
    return [(settings_of(item), spec_of(item)) for item in planned_items(config, items)]


def planned_items(config: pytest.Config, items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the tests among the items that are going to train: they use ``freeze_run``, and no marker skips them."""
    return [
        item
        for item in freeze_items(config, items)
        if "freeze_run" in _fixture_names(item) and _skip_reason(item) is None
    ]


def items_without_training(config: pytest.Config, items: Iterable[pytest.Item]) -> dict[str, str]:
    """Return why tests that ask for training cannot train although no marker of theirs skips them, by node id."""
    reasons = {}
    for item in items:
        names = _fixture_names(item)
        # A marker of a module or a class may be for other tests than this one.
        has_own_settings = any(marker.name == "freeze" and marker.kwargs for marker in item.own_markers)
        if "freeze_run" in names:
            skip_reason = _skip_reason(item)
            if skip_reason is not None and _is_skipped_by_plugin(config, skip_reason):
                reasons[item.nodeid] = f"Skipped ({skip_reason})"
        elif has_own_settings and "freeze_spec" not in names and _skip_reason(item) is None:
            reasons[item.nodeid] = "Without the argument freeze_run"
    return reasons


def freeze_items(config: pytest.Config, items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the freeze tests among the items, without those whose settings are in error."""
    errors = config.stash.get(SETTINGS_ERRORS, {})
    return [item for item in items if "freeze_spec" in _parameters(item) and function_id(item) not in errors]


def function_id(item: pytest.Item) -> str:
    """Return the node id of an item's test function, without parameters."""
    return function_of(item.nodeid)


def _fixture_names(item: pytest.Item) -> Sequence[str]:
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


def _parameters(item: pytest.Item) -> dict[str, object]:
    return getattr(getattr(item, "callspec", None), "params", {})
