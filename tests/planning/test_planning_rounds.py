"""Rounds: groups of configurations, and the order of their runs."""

from __future__ import annotations

import made_up
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.planning.finished import FinishedRuns, NeededRun
from freezebench.planning.rounds import Group, groups, rounds

GRID = ("none", "emb+L0-1", "head", "emb")


def _settings(**flags: str) -> Settings:
    values = {"model": "tiny", "data": "made-up", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def test_candidates_with_required_savings_are_planned_apart() -> None:
    """Each in a group of its own; all others together, least frozen first."""
    settings = _settings(min_speedup="emb:1.5")
    together = Group(candidates=("emb", "head", "emb+L0-1"))
    assert groups(settings, GRID, with_times=True) == [
        Group(candidates=("head", "emb+L0-1"), times_baseline=True),
        Group(candidates=("emb",), interleaved=frozenset({"emb"}), times_baseline=True),
    ]
    assert groups(settings, GRID, with_times=False) == [together]
    assert groups(_settings(), GRID, with_times=True) == [together]


def test_where_seeds_are_pooled_there_is_one_group() -> None:
    """Its verdicts rest on all configurations."""
    settings = _settings(min_speedup="emb:1.5", pool_seeds="yes")
    (group,) = groups(settings, GRID, with_times=True)
    assert group == Group(candidates=("emb", "head", "emb+L0-1"), interleaved=frozenset({"emb"}), times_baseline=True)
    first, *_ = rounds(settings, group, FinishedRuns())
    assert {needed.spec.freeze for needed in first.missing} == {"none", "head", "emb+L0-1"}


def test_a_round_follows_once_the_last_one_is_whole() -> None:
    """It has the undecided candidates alone; none follows if there are none."""
    settings, finished = _settings(num_seeds="2,4", max_drop="5"), FinishedRuns()
    group = Group(candidates=("emb", "emb+L0"))
    accuracies = {"none": 0.9, "emb": 0.5, "emb+L0": 0.85}
    (first,) = rounds(settings, group, finished)
    for number in range(6):
        (current,) = rounds(settings, group, finished)
        needed = current.missing[0]
        assert current.missing == first.missing[number:]
        record = made_up.record(needed.spec.freeze, needed.spec.seed, accuracy=accuracies[needed.spec.freeze])
        finished.add(needed, record)
    whole, second = rounds(settings, group, finished)
    assert (whole.missing, whole.num_seeds, whole.candidates) == ((), 2, ("emb", "emb+L0"))
    assert (second.num_seeds, second.candidates) == (4, ("emb+L0",))
    assert len(list(rounds(settings, Group(candidates=("emb",)), finished))) == 1


def test_a_broken_baseline_ends_a_round_after_the_runs_before_it() -> None:
    """They are still needed, though the baseline broke before they ended."""
    settings, finished = _settings(num_seeds="3"), FinishedRuns()
    finished.add(NeededRun(spec=settings.run_spec("none", 43)), made_up.broken("none", 43))
    (current,) = rounds(settings, Group(candidates=("emb",)), finished)
    assert current.is_stopped
    assert [(needed.spec.freeze, needed.spec.seed) for needed in current.missing] == [("none", 42), ("emb", 42)]
    assert current.lacks("emb")
    assert current.lacks("none")
