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
    grid_of,
    parameters,
    place,
    settings_of,
    values_of,
)
from freezebench.specs.fields import brief
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from freezebench.config.settings import Settings
    from freezebench.pytest_plugin.items import Case

_MOST_NAMED = 5
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
                checks.note_configurations(item, case, settings_of(item))
                checks.check_arguments(item)
                checks.check_id(item)
        except FreezebenchError as error:
            found[str(error)] = None
    # A test with another problem may have no grid.
    return list(found) or [str(error) for error in checks.unused_values()]


class _CaseChecks:
    """Checks that compare the cases of a function with each other."""

    def __init__(self) -> None:
        # The first value of an argument, by function and setting.
        self._first_values: dict[tuple[str, str, str], str] = {}
        # The arguments of functions that were refused.
        self._refused: set[tuple[str, str]] = set()
        # The case of a node id.
        self._cases: dict[str, str] = {}
        # Options with values of their own for configurations, those configurations, and a case that has them.
        self._named: dict[tuple[str, str], str] = {}
        # Those pairs of them of which some case has the configuration in its grid.
        self._used: set[tuple[str, str]] = set()

    def note_configurations(self, item: pytest.Item, case: Case, settings: Settings) -> None:
        """Keep for which configurations options have values, and which of them are in the grid of a test."""
        grid = {"none", *grid_of(item, case)}
        for option, spec in settings.named_specs:
            if spec in grid:
                self._used.add((option, spec))
            elif option not in settings.wider_options:
                self._named.setdefault((option, spec), case.name)

    def unused_values(self) -> list[SettingsError]:
        """Return the errors on values for configurations that no selected test has in its grid, one for each option.

        A limit of a configuration that does not train would be a gate that is silently off. Where a stronger source
        sets the grid, as a flag does in place of a marker, values of a wider grid are no mistake.
        """
        unused: dict[str, list[str]] = {}
        for option, spec in self._named:
            if (option, spec) not in self._used:
                unused.setdefault(option, []).append(spec)
        return [_unused_error(option, specs, self._named[option, specs[0]]) for option, specs in unused.items()]

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


def _unused_error(option: str, specs: Sequence[str], case: str) -> SettingsError:
    """Return the error on an option that has values for configurations of no grid."""
    where = f"{case}: {option}" if option.startswith("freeze marker") else option
    return SettingsError(
        f"{where} has a value for {listed(specs, _MOST_NAMED)}, and the grid of no selected test has "
        f"{'it' if len(specs) == 1 else 'them'}, so that the value would hold for nothing. Add the configuration to "
        "the grid, or leave its value out."
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
