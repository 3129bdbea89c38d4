"""The comparison with a saved run: limits that no training could decide are refused before it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.errors import SettingsError
from freezebench.planning.reference import Reference
from freezebench.planning.reference_check import PlannedTest
from freezebench.records.reference_search import RequestedRun
from freezebench.records.saved import SavedConfiguration, from_records
from made_up import contended, seeds
from saved_runs import saved


def _settings(**values: str) -> Settings:
    flags = {"model": "tiny", "data": "made-up", "num_seeds": "5", **values}
    return resolve([Source(label="{flag}", values=flags)], lambda: ("embedded", "x"))


def _saved(num_contended: int) -> SavedConfiguration:
    runs = seeds("emb", num=6)
    disturbed = [contended(run) for run in runs[:num_contended]]
    return from_records("emb", [*disturbed, *runs[num_contended:]], node_id="t.py::test_it[emb]")


def _reference(num_contended: int, **values: str) -> Reference:
    old = _saved(num_contended)
    request = RequestedRun(option="--benchmark-compare", saved=saved(old))
    return Reference(request, [PlannedTest(settings=_settings(**values), configuration=replace(old, runs=()))])


@pytest.mark.parametrize("limit", ["max_time", "max_energy"])
def test_a_saved_run_of_a_busy_machine_limits_no_time(limit: str) -> None:
    """With fewer than five undisturbed saved runs nothing would ever be judged."""
    with pytest.raises(SettingsError, match="not comparable: 2 of 6 runs trained on a busy machine: up to 41 %"):
        _reference(2, **{limit: "1.1"})
    assert _reference(1, **{limit: "1.1"}).saved is not None


def test_a_saved_run_of_a_busy_machine_still_limits_memory() -> None:
    """Peak memory is not affected."""
    assert _reference(6, max_memory="1.1").notes == ()


def test_what_is_not_run_needs_no_partner() -> None:
    """That it is not run is known after its model was loaded; only then a limit without a partner is refused."""
    old = _saved(0)
    new = replace(old, freeze="emb+L0", node_id="t.py::test_it[emb+L0]", runs=())
    tests = [
        PlannedTest(settings=_settings(max_memory="1.1"), configuration=configuration)
        for configuration in (replace(old, runs=()), new)
    ]
    reference = Reference(RequestedRun(option="--benchmark-compare", saved=saved(old)), tests)
    with pytest.raises(SettingsError, match=r"emb\+L0\] is limited to 1\.1× .* holds no such configuration"):
        reference.take_plan(lambda *_: True)
    reference.take_plan(lambda _, freeze: freeze == "emb")
    comparison = reference.comparison()
    assert comparison is not None
    assert (comparison.only_new, comparison.only_old, comparison.not_run) == ((), (), ("t.py::test_it[emb]",))
