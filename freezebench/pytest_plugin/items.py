"""Freeze tests among pytest's items: their markers, settings and freeze specs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from freezebench.errors import FreezebenchError
from freezebench.pytest_plugin.options import freeze_session

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    return [(settings_of(item), spec_of(item)) for item in freeze_items(config, items) if _is_going_to_train(item)]


def freeze_items(config: pytest.Config, items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the freeze tests among the items, without those whose settings are in error."""
    errors = config.stash.get(SETTINGS_ERRORS, {})
    return [item for item in items if "freeze_spec" in _parameters(item) and function_id(item) not in errors]


def function_id(item: pytest.Item) -> str:
    """Return the node id of an item's test function, without parameters."""
    return without_parameters(item.nodeid)


def without_parameters(node_id: str) -> str:
    """Return the node id of the test function of a case."""
    return node_id.partition("[")[0]


def _is_going_to_train(item: pytest.Item) -> bool:
    """Return whether a test uses ``freeze_run`` and no marker skips it; strings as conditions are not evaluated."""
    if "freeze_run" not in getattr(item, "fixturenames", ()):
        return False
    conditions = [
        condition
        for marker in item.iter_markers("skipif")
        for condition in (*marker.args, marker.kwargs.get("condition", False))
    ]
    is_skipped = any(condition for condition in conditions if not isinstance(condition, str))
    return not is_skipped and item.get_closest_marker("skip") is None


def _parameters(item: pytest.Item) -> dict[str, object]:
    return getattr(getattr(item, "callspec", None), "params", {})
