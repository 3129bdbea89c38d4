"""Cases: what ``parametrize`` makes of a freeze test, and one test per configuration of each case.

With several models or data sets, each case is divided into experiments, one of every model with every data set.
A case may have a ``freeze`` marker of its own, so each case has its own grid. pytest's ``parametrize`` multiplies every
case by the same values; here it is called once per case, after all other hooks have made theirs.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
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
    from collections.abc import Generator, Mapping

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
            tests_of_cases = [_configurations(metafunc, case) for case in cases]
        metafunc._calls = [test for tests in tests_of_cases for test in tests]  # noqa: SLF001 - as above
        _keep_numbers(metafunc.definition, tests_of_cases)
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
    cases = _cases(definition, "" if case is None else case.id, [] if case is None else case.marks)
    metafunc._calls = [] if case is None else [case]  # noqa: SLF001 - there is no other way
    # pytest gives the tests the markers of their function and their case, but none that a hook has added here.
    added = added_markers(definition)
    specs = [CaseSpec(spec, experiment) for experiment in cases for spec in experiment.grid or ("",)]
    ids: list[Any] = ["-".join(filter(None, (spec.case.experiment, spec))) or pytest.HIDDEN_PARAM for spec in specs]
    params = [pytest.param(spec, marks=added) for spec in specs]
    metafunc.parametrize("freeze_spec", params, ids=ids, indirect=True)
    tests = metafunc._calls  # noqa: SLF001 - as above
    return (
        tests if pytest.HIDDEN_PARAM in ids else [_with_id_moved(test, definition.stash[_POSITION]) for test in tests]
    )


def _keep_numbers(definition: pytest.Item, tests_of_cases: list[list[Any]]) -> None:
    """Keep how many tests a function has for each experiment that all of its cases have."""
    specs = [[test.params["freeze_spec"] for test in tests] for tests in tests_of_cases]
    by_case = [Counter(spec.case.experiment for spec in own if isinstance(spec, CaseSpec)) for own in specs]
    numbers = definition.config.stash.setdefault(NUM_TESTS, {})
    for experiment in by_case[0]:
        if all(experiment in own for own in by_case):
            numbers[definition.nodeid, experiment] = sum(own[experiment] for own in by_case)


def _cases(definition: pytest.Item, case_id: str, marks: list[pytest.Mark]) -> list[Case]:
    """Return the experiments of a case, one of every model with every data set that its markers and the options give.

    Args:
        definition: pytest's item of the test function.
        case_id: What stands in the brackets of the case's tests so far.
        marks: The markers of the case.
    """
    case = _name(definition, case_id)
    values: Mapping[str, object] = {}
    options = freeze_session(definition.config).options
    try:
        values = marker_values([*marks, *freeze_markers(definition)], case)
        experiments = options.experiments(values, definition.nodeid, case)
    except FreezebenchError as error:
        return [Case(name=case, problem=_noted(definition, options.sentence(error, values, case)))]
    cases = []
    for experiment, chosen in experiments.items():
        grid: tuple[str, ...] = ()
        problem = None
        try:
            settings = options.settings(values, definition.nodeid, case, chosen)
            grid = tuple(map(str, options.grid(settings)))
        except FreezebenchError as error:
            problem = _noted(definition, options.sentence(error, values, case, is_of_several=bool(chosen)))
        name = _name(definition, "-".join(filter(None, (experiment, case_id))))
        cases.append(Case(name=name, experiment=experiment, chosen=chosen, grid=grid, problem=problem))
    return cases


def _name(definition: pytest.Item, case_id: str) -> str:
    return definition.nodeid + (f"[{case_id}]" if case_id else "") + f" {place(definition)}"


def _noted(definition: pytest.Item, problem: str) -> str:
    """Return a problem, kept for messages on node ids that do not exist because of it."""
    # A usage error raised here would end pytest as interrupted (2), not as a usage error (4).
    definition.config.stash.setdefault(PROBLEMS, {}).setdefault(definition.nodeid, []).append(problem)
    return problem


def _with_id_moved(test: Any, position: int) -> Any:
    """Return a test with the last part of its id moved to a position."""
    *parts, spec = test._idlist  # noqa: SLF001 - there is no other way
    return dataclasses.replace(test, _idlist=[*parts[:position], spec, *parts[position:]])
