"""Checks of freeze tests once their markers are known: all of them, also those that were added after collection."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING

from freezebench.config.options import OPTIONS
from freezebench.errors import FreezebenchError
from freezebench.pytest_plugin.items import (
    case_name,
    case_of,
    fixture_names,
    freeze_items,
    function_id,
    parameters,
    place,
    settings_of,
    values_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

_SETTINGS = [option.name for option in OPTIONS if not option.session_wide]


def problems(items: Sequence[pytest.Item]) -> list[str]:
    """Return what is wrong with the settings of tests, one sentence for the tests of a case."""
    found: dict[str, None] = {}
    for item in items:
        case = case_of(item)
        if case is None:
            if "freeze_spec" in parameters(item) and "freeze_run" in fixture_names(item):
                found[_own_specs(item)] = None
            continue
        if case.problem is not None:
            found[case.problem] = None
            continue
        try:
            settings_of(item)
        except FreezebenchError as error:
            found[str(error)] = None
    return list(found) or _idle_arguments(items) + _equal_ids(items)


def _own_specs(item: pytest.Item) -> str:
    """Return what is wrong with a test that sets ``freeze_spec`` itself."""
    return (
        f"{function_id(item)} {place(item)}: freeze_spec is set by the grid of the test, and cannot be parametrized. "
        'Write @pytest.mark.freeze(grid="none,emb"), which makes one test per configuration, in place of it.'
    )


def _idle_arguments(items: Sequence[pytest.Item]) -> list[str]:
    """Return a sentence on every argument that is named like a setting and does not set it.

    The cases of such an argument would be one experiment under several names.
    """
    found: dict[tuple[str, str], str] = {}
    # The first value of an argument, by function and setting.
    first_values: dict[tuple[str, str, str], str] = {}
    for item in [item for item in freeze_items(items) if "freeze_run" in fixture_names(item)]:
        marker, function = values_of(item), function_id(item)
        for name in [name for name in _direct_arguments(item) if name in _SETTINGS]:
            value = reprlib.repr(parameters(item)[name])
            first_value = first_values.setdefault((function, name, repr(marker.get(name))), value)
            if name not in marker or first_value != value:
                sentence = (
                    f"{case_name(item)}: {name}={value} is an argument of the test function and sets nothing, so that "
                    f"each of its values would run the same experiment. Write "
                    f"pytest.param({value}, marks=pytest.mark.freeze({name}={value})) to set it; an argument for "
                    "another purpose needs another name."
                )
                found.setdefault((function, name), sentence)
    return list(found.values())


def _direct_arguments(item: pytest.Item) -> list[str]:
    """Return the arguments of a test function that ``parametrize`` sets; of others a fixture makes what it likes."""
    direct: list[str] = []
    for mark in item.iter_markers("parametrize"):
        given = {**dict(zip(("argnames", "argvalues", "indirect"), mark.args, strict=False)), **mark.kwargs}
        argnames, indirect = given["argnames"], given.get("indirect", False)
        names = [name.strip() for name in argnames.split(",")] if isinstance(argnames, str) else list(argnames)
        if indirect is not True:
            direct += [name for name in names if name in parameters(item) and name not in (indirect or ())]
    return direct


def _equal_ids(items: Sequence[pytest.Item]) -> list[str]:
    """Return a sentence on every id that two cases of a function share, as L0-3 of the cases 3 and of none."""
    names: dict[str, str] = {}
    return [
        f"{case_name(item)}: {item.nodeid} is the id of a test of another case, too. Give the case another id: "
        "pytest.param(..., id='...')."
        for item in freeze_items(items)
        if names.setdefault(item.nodeid, case_name(item)) != case_name(item)
    ]
