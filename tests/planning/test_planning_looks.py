"""Which runs a configuration needs next, and its result."""

from __future__ import annotations

import made_up
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.planning.finished import FinishedRuns, NeededRun
from freezebench.planning.looks import next_step
from freezebench.verdicts.judge import ConfigurationResult

GRID = ("emb+L0", "none", "emb")


def _settings(**flags: str) -> Settings:
    values = {"model": "tiny", "data": "made-up", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def _needed(step: list[NeededRun] | ConfigurationResult) -> list[str]:
    assert isinstance(step, list)
    return [f"{needed.spec.freeze} {needed.spec.seed}" for needed in step]


def test_a_whole_round_is_needed_in_its_order() -> None:
    """All its runs are returned together, so that several devices can share them."""
    settings = _settings(num_seeds="2")
    step = next_step(settings, "none", FinishedRuns(), grid=GRID)
    assert _needed(step) == ["none 42", "emb 42", "emb+L0 42", "none 43", "emb 43", "emb+L0 43"]


def test_a_result_needs_no_run_of_another_candidate() -> None:
    """It is there as soon as the seeds of the configuration and of the baseline are."""
    settings = _settings(num_seeds="2")
    finished = made_up.finished(settings, *made_up.seeds("none", num=2), *made_up.seeds("emb", num=2))
    assert isinstance(next_step(settings, "emb", finished, grid=GRID), ConfigurationResult)
    assert _needed(next_step(settings, "emb+L0", finished, grid=GRID)) == ["emb+L0 42", "emb+L0 43"]


def test_an_undecided_configuration_needs_the_rest_of_the_round_first() -> None:
    """Then every undecided one gets a seed in turn, the baseline with them; a decided one gets none."""
    settings = _settings(num_seeds="2,4", max_drop="5")
    records = [*made_up.seeds("none", num=2), *made_up.seeds("emb+L0", num=2, accuracy=0.85)]
    finished = made_up.finished(settings, *records)
    assert _needed(next_step(settings, "emb+L0", finished, grid=GRID)) == ["emb 42", "emb 43"]
    finished = made_up.finished(settings, *records, *made_up.seeds("emb", num=2, accuracy=0.5))
    late = ["none 44", "emb+L0 44", "none 45", "emb+L0 45"]
    assert _needed(next_step(settings, "emb+L0", finished, grid=GRID)) == late
    assert isinstance(next_step(settings, "emb", finished, grid=GRID), ConfigurationResult)
    assert isinstance(next_step(settings, "none", finished, grid=GRID), ConfigurationResult)


def test_seeds_after_an_invalid_one_are_not_needed() -> None:
    """Where a later seed broke first, the earlier ones are still needed: the outcome must not depend on the order."""
    settings = _settings(num_seeds="3")
    broken = made_up.broken("none", 43)
    assert _needed(next_step(settings, "none", made_up.finished(settings, broken))) == ["none 42"]
    result = next_step(settings, "none", made_up.finished(settings, broken, made_up.record("none", 42)))
    assert isinstance(result, ConfigurationResult)
    assert [record.is_valid for record in result.records] == [True, False]
    finished = made_up.finished(settings, made_up.broken("emb", 43))
    assert _needed(next_step(settings, "emb", finished)) == ["none 42", "emb 42", "none 43", "none 44"]


def test_a_reused_run_is_needed_again_where_times_are_judged() -> None:
    """A limit against a saved run compares times, which have to be those of today."""
    settings, finished = _settings(num_seeds="1", max_time="1.05"), FinishedRuns()
    needed = NeededRun(spec=settings.run_spec("none", 42))
    finished.add(needed, made_up.record("none"), is_reused=True)
    step = next_step(settings, "none", finished)
    assert step == [NeededRun(spec=needed.spec, must_be_new=True)]
    finished.add(needed, made_up.record("none"))
    assert isinstance(next_step(settings, "none", finished), ConfigurationResult)


def test_interleaved_runs_are_needed_as_a_whole_series() -> None:
    """After the baseline's look and apart from the rounds of the others."""
    settings = _settings(num_seeds="2", min_speedup="emb:1.5")
    assert _needed(next_step(settings, "emb+L0", FinishedRuns(), grid=GRID))[:2] == ["none 42", "emb+L0 42"]
    assert _needed(next_step(settings, "emb", FinishedRuns(), grid=GRID)) == ["none 42", "none 43"]
    finished = made_up.finished(settings, *made_up.seeds("none", num=2))
    step = next_step(settings, "emb", finished, grid=GRID)
    assert isinstance(step, list)
    assert "".join("AB"[needed.spec.freeze == "emb"] for needed in step) == "ABBAABBAAB"
    assert all(needed.must_be_new for needed in step)
    assert isinstance(next_step(settings, "none", finished, grid=GRID), ConfigurationResult)
