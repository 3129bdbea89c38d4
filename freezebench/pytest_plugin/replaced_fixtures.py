"""Fixtures of a project that have the names of freezebench's or pytest-benchmark's, and take their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.errors import SettingsError
from freezebench.pytest_plugin.items import case_name, case_of, fixture_names, freeze_markers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

_PROVIDERS = ("freezebench.pytest_plugin.", "pytest_benchmark.")


def replaced_by(item: pytest.Item, name: str) -> str | None:
    """Return the module of the fixture that takes the place of a plugin's; ``None`` if none does.

    A fixture that requests the one of its own name extends it. Whether one that has ``request`` does is not known.
    """
    # pytest offers no public way to see which fixtures a test uses.
    fixtures = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {}).get(name, ())
    last = next((fixture for fixture in reversed(fixtures) if name not in fixture.argnames), None)
    if last is None or "request" in last.argnames:
        return None
    module = str(last.func.__module__)
    return None if module.startswith(_PROVIDERS) else module


def replaced_fixtures(config: pytest.Config, items: Sequence[pytest.Item]) -> list[str]:
    """Return what is wrong with freeze tests of which a fixture is replaced, one sentence for each fixture."""
    found: dict[tuple[str | None, ...], str] = {}
    has_benchmark = config.pluginmanager.hasplugin("benchmark")
    for item in items:
        if "freeze_run" not in fixture_names(item):
            continue
        run, benchmark = replaced_by(item, "freeze_run"), replaced_by(item, "benchmark") if has_benchmark else None
        try:
            _check(item, run, benchmark)
        except SettingsError as error:
            found.setdefault((run, benchmark), str(error))
    return list(found.values())


def _check(item: pytest.Item, run: str | None, benchmark: str | None) -> None:
    """Check the fixtures of a test.

    Args:
        item: The test.
        run: The module that replaces ``freeze_run``; ``None`` if none does.
        benchmark: The module that replaces ``benchmark``, if freezebench uses pytest-benchmark.

    Raises:
        SettingsError: If it is a freeze test, and needs a fixture that is replaced.
    """
    if run is not None:
        # Without settings, the test has nothing to do with freezebench.
        if case_of(item) is not None or any(marker.kwargs for marker in freeze_markers(item)):
            raise SettingsError(
                f"{case_name(item)}: freeze_run is set by {run}, not by freezebench, so that nothing would be trained. "
                "Give it another name, or let a fixture freeze_run request freeze_run and return it."
            )
    elif benchmark is not None:
        raise SettingsError(
            f"{case_name(item)}: freeze_run passes its times to pytest-benchmark's fixture benchmark, but {benchmark} "
            "has one of that name. Give it another name, or switch pytest-benchmark off by -p no:benchmark."
        )
