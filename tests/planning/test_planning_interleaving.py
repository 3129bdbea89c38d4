"""Interleaved runs: their order, and how they are paired."""

from __future__ import annotations

import pytest

import made_up
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.planning.finished import FinishedRuns
from freezebench.planning.interleaving import interleaved_pairs, needed_interleaved_runs
from freezebench.records.run_record import RunRecord


def _settings() -> Settings:
    values = {"model": "tiny", "data": "made-up", "min_speedup": "1.5"}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def test_runs_are_needed_in_the_order_a_b_b_a() -> None:
    """Five pairs, each arm leading every other one; the seeds of both arms are the same."""
    settings, finished = _settings(), FinishedRuns()
    order: list[str] = []
    while left := needed_interleaved_runs(settings, "emb", finished):
        needed = left[0]
        assert len(left) == 10 - len(order)
        assert needed.must_be_new
        order.append(f"{needed.spec.freeze} {needed.spec.seed}")
        finished.add(needed, made_up.record(needed.spec.freeze, needed.spec.seed))
    assert order == [f"{arm} {seed}" for seed in range(42, 47) for arm in (("none", "emb"), ("emb", "none"))[seed % 2]]
    pairs = interleaved_pairs(settings, "emb", finished)
    assert [(a.spec.freeze, b.spec.freeze, a.spec.seed - b.spec.seed) for a, b in pairs] == [("none", "emb", 0)] * 5


@pytest.mark.parametrize("last", [made_up.broken("emb", 43), made_up.contended(made_up.record("emb", 43))])
def test_a_run_that_breaks_the_series_ends_it_and_is_shown_in_a_pair(last: RunRecord) -> None:
    """An invalid run and one that other work disturbed may have no partner yet."""
    settings, finished = _settings(), FinishedRuns()
    for _ in range(2):
        needed = needed_interleaved_runs(settings, "emb", finished)[0]
        finished.add(needed, made_up.record(needed.spec.freeze, needed.spec.seed))
    needed = needed_interleaved_runs(settings, "emb", finished)[0]
    finished.add(needed, last)
    assert not needed_interleaved_runs(settings, "emb", finished)
    assert interleaved_pairs(settings, "emb", finished)[1] == (last, last)


def test_a_repetition_replaces_no_record() -> None:
    """The unfrozen runs between the frozen ones are repetitions of the baseline's; the frozen ones are new."""
    settings, finished = _settings(), FinishedRuns()
    first = made_up.record("none", 42)
    finished.records[settings.run_spec("none", 42).run_id] = first
    for accuracy in (0.8, 0.7):
        needed = needed_interleaved_runs(settings, "emb", finished)[0]
        finished.add(needed, made_up.record(needed.spec.freeze, needed.spec.seed, accuracy=accuracy))
    assert finished.record(settings.run_spec("none", 42)) == first
    assert finished.record(settings.run_spec("emb", 42)) is not None
