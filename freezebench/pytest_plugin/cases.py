"""Cases: what ``parametrize`` makes of a freeze test, and one test per configuration of each case.

A case may have a ``freeze`` marker of its own, so each case has its own grid. pytest's ``parametrize`` multiplies every
case by the same values; here it is called once per case, after all other hooks have made theirs.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from freezebench.errors import FreezebenchError
from freezebench.import_path import installed_modules_first
from freezebench.pytest_plugin.items import (
    NUM_TESTS,
    PROBLEMS,
    Case,
    CaseSpec,
    added_markers,
    freeze_markers,
    marker_values,
    place,
)
from freezebench.pytest_plugin.options import freeze_session
from freezebench.pytest_plugin.replaced_fixtures import replaced_by

if TYPE_CHECKING:
    from collections.abc import Generator

_POSITION = pytest.StashKey[int]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Keep where the freeze spec belongs in the ids: behind those that other hooks have added so far."""
    if not _is_freeze_test(metafunc):
        return
    # Saved runs are compared by test id, so the order of its parts must not change.
    calls = metafunc._calls  # noqa: SLF001 - there is no other way
    metafunc.definition.stash[_POSITION] = len(calls[0]._idlist) if calls else 0  # noqa: SLF001 - as above


@pytest.hookimpl(specname="pytest_generate_tests", wrapper=True, tryfirst=True)
def pytest_generate_configurations(metafunc: pytest.Metafunc) -> Generator[None, object, object]:
    """Give every case of a freeze test one test per configuration; errors of its settings are raised once collected."""
    outcome = yield
    if _is_freeze_test(metafunc):
        cases: list[Any] = metafunc._calls or [None]  # noqa: SLF001 - there is no other way
        with installed_modules_first():
            tests = [test for case in cases for test in _configurations(metafunc, case)]
        metafunc._calls = tests  # noqa: SLF001 - as above
        metafunc.config.stash.setdefault(NUM_TESTS, {})[metafunc.definition.nodeid] = len(tests)
    return outcome


def _is_freeze_test(metafunc: pytest.Metafunc) -> bool:
    """Return whether a test uses a fixture of freezebench, and not only one of the project with the same name."""
    names, definition = metafunc.fixturenames, metafunc.definition
    runs = "freeze_run" in names and replaced_by(definition, "freeze_run") is None
    return "freeze_spec" in names and (runs or replaced_by(definition, "freeze_spec") is None)


def _configurations(metafunc: pytest.Metafunc, case: Any) -> list[Any]:
    """Return the tests of a case.

    Args:
        metafunc: pytest's description of the test function.
        case: pytest's description of the case; ``None`` if nothing else parametrizes the function.
    """
    if case is not None and "freeze_spec" in case.params:  # the test or the project sets it, see case_checks
        return [case]
    definition = metafunc.definition
    name = definition.nodeid + (f"[{case.id}]" if case is not None and case.id else "")
    found = _read_grid(definition, name, [] if case is None else case.marks)
    metafunc._calls = [] if case is None else [case]  # noqa: SLF001 - there is no other way
    # pytest gives the tests the markers of their function and their case, but none that a hook has added here.
    added = added_markers(definition)
    specs = [pytest.param(CaseSpec(spec, found), marks=added) for spec in found.grid or ("",)]
    ids: list[Any] = list(found.grid) or [pytest.HIDDEN_PARAM]
    metafunc.parametrize("freeze_spec", specs, ids=ids, indirect=True)
    tests = metafunc._calls  # noqa: SLF001 - as above
    return [_with_id_moved(test, definition.stash[_POSITION]) for test in tests] if found.grid else tests


def _read_grid(definition: pytest.Item, name: str, marks: list[pytest.Mark]) -> Case:
    """Return a case with the configurations that its markers and the options give, or with what is wrong with them."""
    case = f"{name} {place(definition)}"
    values: dict[str, object] = {}
    options = freeze_session(definition.config).options
    try:
        values = marker_values([*marks, *freeze_markers(definition)], case)
        settings = options.settings(values, definition.nodeid, case)
        return Case(name=case, grid=tuple(map(str, options.grid(settings))))
    except FreezebenchError as error:
        # A usage error raised here would end pytest as interrupted (2), not as a usage error (4).
        problem = options.sentence(error, values, case)
        definition.config.stash.setdefault(PROBLEMS, {})[definition.nodeid] = problem
        return Case(name=case, problem=problem)


def _with_id_moved(test: Any, position: int) -> Any:
    """Return a test with the last part of its id moved to a position."""
    *parts, spec = test._idlist  # noqa: SLF001 - there is no other way
    return dataclasses.replace(test, _idlist=[*parts[:position], spec, *parts[position:]])
