"""Collection: one test per configuration, checked before a model is loaded, the baseline first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from freezebench.errors import FreezebenchError
from freezebench.import_path import installed_modules_first
from freezebench.pytest_plugin.benchmark import add_clock
from freezebench.pytest_plugin.items import (
    SETTINGS_ERRORS,
    freeze_items,
    function_id,
    marker_values,
    settings_of,
    spec_of,
)
from freezebench.pytest_plugin.options import find_session, freeze_session, refuse_combinations, usage_errors
from freezebench.pytest_plugin.references import take_references
from freezebench.pytest_plugin.reporting import report_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.session import FreezeSession

# Options with which pytest collects tests to list something, and runs none.
_LISTINGS = ("collectonly", "showfixtures", "show_fixtures_per_test")


@installed_modules_first()
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a freeze test one case per configuration; errors of its settings are raised once collection is over."""
    if "freeze_spec" not in metafunc.fixturenames:
        return
    definition = metafunc.definition
    session = freeze_session(metafunc.config)
    specs: list[str] = []
    try:
        settings = session.options.settings(marker_values(definition), definition.nodeid)
        specs = [str(spec) for spec in session.options.grid(settings)]
    except FreezebenchError as error:
        # A usage error raised here would end pytest as interrupted (2), not as a usage error (4).
        metafunc.config.stash.setdefault(SETTINGS_ERRORS, {})[definition.nodeid] = str(error)
    metafunc.parametrize("freeze_spec", specs, ids=specs, indirect=True)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark every freeze test, so that ``-m "not freeze"`` deselects all of them."""
    if "freeze_spec" in getattr(item, "fixturenames", ()) and item.get_closest_marker("freeze") is None:
        item.add_marker(pytest.mark.freeze)


@pytest.hookimpl(trylast=True)
@installed_modules_first()
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check everything that can be checked before a model is loaded, and put baselines first."""
    session = find_session(config)
    if session is None:
        return
    # Errors of tests that were deselected are not raised.
    errors = config.stash.get(SETTINGS_ERRORS, {})
    messages = dict.fromkeys(errors[name] for name in map(function_id, items) if name in errors)
    selected = freeze_items(config, items)
    if not (messages or selected):
        return
    try:
        refuse_combinations(config)
    except pytest.UsageError:
        items.clear()  # pytest-xdist would wait for what it has collected
        raise
    if messages:
        raise pytest.UsageError("\n".join(messages))
    if not any(getattr(config.option, name, False) for name in _LISTINGS):
        with usage_errors():
            _check(session, config, selected)
    positions = [position for position, item in enumerate(items) if item in selected]
    for position, item in zip(positions, sorted(selected, key=lambda item: spec_of(item) != "none"), strict=True):
        items[position] = item
    for item in selected:
        add_clock(item)


def _check(session: FreezeSession, config: pytest.Config, selected: Sequence[pytest.Item]) -> None:
    """Check the report folder, the settings of all tests, and the limits that a saved run is needed for.

    Raises:
        FreezebenchError: If some test could not run, or not be judged.
    """
    from freezebench.records.files import prepare_folder

    folder = report_folder(session)
    if folder is not None:
        prepare_folder(folder, "--freeze-report")
    distinct = list(dict.fromkeys(settings_of(item) for item in selected))
    _fetch(config, [settings.data.source for settings in distinct])
    for settings in distinct:
        session.check(settings)
    take_references(session, config, selected)


def _fetch(config: pytest.Config, sources: Sequence[str]) -> None:
    """Download the data set ``reviews`` if a test needs it and the cache folder does not hold it.

    Raises:
        DataError: If it cannot be downloaded.
    """
    from freezebench.data import reviews
    from freezebench.pytest_plugin.terminal import Terminal

    if any(source in reviews.DOMAINS for source in sources):
        terminal = Terminal(config)
        reviews.fetch(lambda progress: terminal.progress([progress], is_transient=False))
