"""Checks of freeze tests once their markers are known: all of them, also those that were added after collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.config.option import as_text
from freezebench.config.options import OPTIONS
from freezebench.errors import FreezebenchError, SettingsError
from freezebench.pytest_plugin.items import (
    case_name,
    case_of,
    fixture_names,
    function_id,
    parameters,
    place,
    settings_of,
    values_of,
)
from freezebench.specs.fields import brief

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

_SETTINGS = [option.name for option in OPTIONS if not option.session_wide]


def problems(items: Sequence[pytest.Item]) -> list[str]:
    """Return what is wrong with the settings of tests, one sentence for the tests of a case."""
    found: dict[str, None] = {}
    checks = _CaseChecks()
    for item in items:
        case = case_of(item)
        try:
            if case is None:
                _refuse_own_specs(item)
            elif case.problem is not None:
                found[case.problem] = None
            else:
                settings_of(item)
                checks.check_arguments(item)
                checks.check_id(item)
        except FreezebenchError as error:
            found[str(error)] = None
    return list(found)


class _CaseChecks:
    """Checks that compare the cases of a function with each other."""

    def __init__(self) -> None:
        # The first value of an argument, by function and setting.
        self._first_values: dict[tuple[str, str, str], str] = {}
        # The arguments of functions that were refused.
        self._refused: set[tuple[str, str]] = set()
        # The case of a node id.
        self._cases: dict[str, str] = {}

    def check_arguments(self, item: pytest.Item) -> None:
        """Refuse an argument that is named like a setting and does not set it, once for all cases of a function.

        Raises:
            SettingsError: If there is one: its cases would be one experiment under several names.
        """
        if "freeze_run" not in fixture_names(item):
            return
        marker, function = values_of(item), function_id(item)
        for name in [name for name in _direct_arguments(item) if name in _SETTINGS]:
            value = brief(parameters(item)[name])
            first_value = self._first_values.setdefault((function, name, as_text(marker.get(name))), value)
            is_set = name in marker and first_value == value
            if not is_set and (function, name) not in self._refused:
                self._refused.add((function, name))
                raise SettingsError(
                    f"{case_name(item)}: {name}={value} is an argument of the test function and sets nothing, so that "
                    f"each of its values would run the same experiment. Write "
                    f"pytest.param({value}, marks=pytest.mark.freeze({name}={value})) to set it; an argument for "
                    "another purpose needs another name."
                )

    def check_id(self, item: pytest.Item) -> None:
        """Refuse an id that two cases of a function share, as L0-3-x of L0-3 in case x, and of L0 in case 3-x.

        Raises:
            SettingsError: If so.
        """
        if self._cases.setdefault(item.nodeid, case_name(item)) != case_name(item):
            raise SettingsError(
                f"{case_name(item)}: {item.nodeid} is the id of a test of another case, too. Give the case another id: "
                "pytest.param(..., id='...')."
            )


def _refuse_own_specs(item: pytest.Item) -> None:
    """Refuse a test that trains and sets ``freeze_spec`` itself.

    Raises:
        SettingsError: If it is one.
    """
    if "freeze_spec" in parameters(item) and "freeze_run" in fixture_names(item):
        raise SettingsError(
            f"{function_id(item)} {place(item)}: freeze_spec is set by the grid of the test, and cannot be "
            'parametrized. Write @pytest.mark.freeze(grid="none,emb"), which makes one test per configuration.'
        )


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
