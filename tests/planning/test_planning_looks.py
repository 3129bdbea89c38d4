"""Which runs a configuration needs next, look by look."""

from __future__ import annotations

import random

import pytest

import made_up
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.errors import SettingsError
from freezebench.planning.finished import FinishedRuns, NeededRun
from freezebench.planning.looks import baseline_so_far, needs_more, next_step
from freezebench.records.run_record import RunRecord
from freezebench.specs.interim_looks import InterimLooks
from freezebench.specs.run import RunSpec
from freezebench.verdicts.crossed import Interval
from freezebench.verdicts.judge import ConfigurationResult
from freezebench.verdicts.noninferiority import Verdict, decide, invalid_verdict


def _settings(**flags: str) -> Settings:
    values = {"model": "tiny", "data": "made-up", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def _needed(step: list[NeededRun] | ConfigurationResult) -> list[str]:
    assert isinstance(step, list)
    return [f"{needed.spec.freeze} {needed.spec.seed}" for needed in step]


def _record(spec: RunSpec) -> RunRecord:
    return made_up.record(spec.freeze, spec.seed)


def test_the_baseline_is_needed_first_and_a_whole_look_at_once() -> None:
    """All runs of a look are returned together, so that several devices can share them."""
    settings, finished = _settings(num_seeds="3"), FinishedRuns()
    step = next_step(settings, "emb", finished)
    assert _needed(step) == ["none 42", "none 43", "none 44"]
    assert isinstance(step, list)
    for needed in step:
        finished.add(needed, _record(needed.spec))
    assert _needed(next_step(settings, "emb", finished)) == ["emb 42", "emb 43", "emb 44"]


def test_the_plan_does_not_depend_on_the_order_in_which_runs_end() -> None:
    """Runs of one look that end in any order give the same result."""
    settings = _settings(num_seeds="2,4", max_drop="5")
    results = []
    for seed in range(5):
        draw, finished = random.Random(seed), FinishedRuns()  # noqa: S311 - an order, no secret
        while isinstance(step := next_step(settings, "emb", finished), list):
            needed = draw.choice(step)
            finished.add(needed, made_up.record(needed.spec.freeze, needed.spec.seed, accuracy=0.88))
        results.append(step)
    assert all(result == results[0] for result in results)
    assert [record.spec.seed for record in results[0].records] == sorted(
        record.spec.seed for record in results[0].records
    )


def test_an_earlier_look_is_not_judged_again() -> None:
    """A look that asked for more seeds is over, even if the variance pooled over later runs would now decide it."""
    settings, finished = _settings(num_seeds="2,4", max_drop="40", margin="40"), FinishedRuns()
    for freeze in ("none", "emb"):
        for seed in (42, 43):
            spec = settings.run_spec(freeze, seed)
            finished.add(NeededRun(spec=spec), made_up.record(freeze, seed))
    assert isinstance(next_step(settings, "emb", finished), ConfigurationResult), "the first look decides"
    step = next_step(settings, "emb", finished, look=4)
    assert _needed(step) == ["none 44", "none 45"]
    assert isinstance(step, list)
    assert {needed.look for needed in step} == {4}


def test_seeds_after_an_invalid_one_are_not_needed() -> None:
    """Where a later seed broke first, the earlier ones are still needed: the outcome must not depend on the order."""
    settings, finished = _settings(num_seeds="3"), FinishedRuns()
    spec = settings.run_spec("none", 43)
    finished.add(NeededRun(spec=spec), made_up.broken("none", 43))
    assert _needed(next_step(settings, "none", finished)) == ["none 42"]
    finished.add(NeededRun(spec=settings.run_spec("none", 42)), made_up.record("none", 42))
    result = next_step(settings, "none", finished)
    assert isinstance(result, ConfigurationResult)
    assert [record.is_valid for record in result.records] == [True, False]


def test_a_reused_run_is_needed_again_where_times_are_judged() -> None:
    """A limit against a saved run compares times, which have to be those of today."""
    settings, finished = _settings(num_seeds="1", max_time="1.05"), FinishedRuns()
    needed = NeededRun(spec=settings.run_spec("none", 42))
    finished.add(needed, _record(needed.spec), is_reused=True)
    step = next_step(settings, "none", finished)
    assert step == [NeededRun(spec=needed.spec, must_be_new=True, look=1)]
    finished.add(needed, _record(needed.spec))
    assert isinstance(next_step(settings, "none", finished), ConfigurationResult)


def test_the_baseline_so_far_has_all_its_seeds() -> None:
    """Candidates that needed more looks have extended it beyond its own first look."""
    settings, finished = _settings(num_seeds="1,2"), FinishedRuns()
    for seed in (43, 42):
        spec = settings.run_spec("none", seed)
        finished.add(NeededRun(spec=spec), _record(spec))
    assert [record.spec.seed for record in baseline_so_far(settings, finished).records] == [42, 43]


def verdict(lower_pp: float, upper_pp: float, *, num_seeds: int = 3, alpha: float = 0.02) -> Verdict:
    """Return the verdict at two points of an interval with these bounds."""
    return decide(
        Interval(
            drop_pp=(lower_pp + upper_pp) / 2,
            lower_pp=lower_pp,
            upper_pp=upper_pp,
            se_pp=1.0,
            df=5.0,
            alpha=alpha,
            num_seeds=num_seeds,
            num_sentences=872,
        )
    )


def test_seeds_are_added_until_both_margins_are_decided() -> None:
    """A configuration goes on while either margin is open, and ends when both are decided or the looks are spent."""
    open_, safe, worse = verdict(1.0, 3.0), verdict(-1.0, 1.0), verdict(3.0, 5.0)
    looks = InterimLooks()
    assert needs_more([open_, safe], looks) == 5
    assert needs_more([worse, verdict(1.0, 3.0, num_seeds=5)], looks) == 8
    assert needs_more([worse, safe], looks) is None
    assert needs_more([verdict(1.0, 3.0, num_seeds=8)], looks) is None
    assert needs_more([], looks) is None


def test_invalid_runs_need_no_more_seeds() -> None:
    """More seeds would not repair what is invalid."""
    assert needs_more([verdict(1.0, 3.0), invalid_verdict("out of memory")], InterimLooks()) is None


def test_looks_at_the_wrong_error_rate_are_refused() -> None:
    """An open verdict at 0.05 cannot be one of three looks: its error rate would be void."""
    with pytest.raises(SettingsError, match="alpha"):
        needs_more([verdict(1.0, 3.0, alpha=0.05)], InterimLooks())
