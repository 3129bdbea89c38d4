"""The search over the prefixes of a table, from finished runs."""

from __future__ import annotations

import pytest

import made_up
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.planning.finished import FinishedRuns, NeededRun
from freezebench.planning.replay import replay
from freezebench.planning.searched import is_searched
from freezebench.planning.session_plan import SessionPlan
from freezebench.records.run_record import RunRecord
from freezebench.report.recommendation import safe_prefixes
from freezebench.specs.grid import parse_grid
from freezebench.verdicts.judge import ConfigurationResult

LADDER = ("none", "emb", "emb+L0", "emb+L0-1", "emb+L0-2")


def _settings(**flags: str) -> Settings:
    values = {"model": "tiny", "data": "made-up", "grid": "search", "num_seeds": "3", "margin": "20", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def _plan(settings: Settings, *grid: str) -> SessionPlan:
    return SessionPlan([(settings, freeze) for freeze in grid])


def _train(plan: SessionPlan, settings: Settings, freeze: str, **accuracies: float) -> tuple[FinishedRuns, list[str]]:
    """Return the runs that the result of a configuration needs, and their names in order."""
    finished, ran = FinishedRuns(), list[str]()
    while isinstance(step := plan.next_step(settings, freeze, finished), list):
        spec = step[0].spec
        ran.append(f"{spec.freeze} {spec.seed}")
        finished.add(step[0], made_up.record(spec.freeze, spec.seed, accuracy=accuracies.get(spec.freeze, 0.9)))
    return finished, ran


def test_prefixes_of_a_search_are_searched_and_nothing_else() -> None:
    """The baseline and what is no prefix train in any case."""
    settings = _settings(grid="search,L1")
    assert [freeze for freeze in ("none", "L1", "emb", "head") if is_searched(settings, freeze)] == ["emb"]
    assert not is_searched(_settings(grid="all"), "emb")


def test_depths_are_trained_one_after_the_other_with_the_baseline() -> None:
    """Seed by seed; whichever test comes first."""
    settings = _settings()
    for freeze in ("emb", "emb+L0-2"):
        _, ran = _train(_plan(settings, *LADDER), settings, freeze, **{"emb+L0-1": 0.4, "emb+L0-2": 0.4})
        assert ran[:6] == ["none 42", "emb+L0 42", "none 43", "emb+L0 43", "none 44", "emb+L0 44"]
        assert ran[6:] == ["emb+L0-1 42", "emb+L0-1 43", "emb+L0-1 44"]


def test_verdicts_of_a_search_have_its_error_rate() -> None:
    """They are those of ``all`` in everything else."""
    settings = _settings()
    plan = _plan(settings, *LADDER)
    finished, _ = _train(plan, settings, "emb")
    result = plan.next_step(settings, "emb+L0-2", finished)
    assert isinstance(result, ConfigurationResult)
    assert result.verdict is not None
    assert result.verdict.alpha == settings.looks.alpha < _settings(grid="all").looks.alpha
    left_out = plan.next_step(settings, "emb", finished)
    assert isinstance(left_out, ConfigurationResult)
    assert left_out.not_needed == "the search found emb+L0-2 to be the deepest safe prefix, and none is deeper"


def test_required_savings_are_tested_on_the_depths_that_are_tried() -> None:
    """Each has its own series with the baseline."""
    settings = _settings(min_speedup="1.2")
    needed = _plan(settings, *LADDER).next_step(settings, "emb", FinishedRuns())
    assert isinstance(needed, list)
    series = [run for run in _plan(settings, *LADDER).runs_left(FinishedRuns()) if run.interleaved_with]
    assert {run.spec.freeze for run in series} == {"none", "emb+L0"}
    assert len(series) == 10


def test_runs_of_earlier_sessions_lead_a_plan_to_the_next_depth() -> None:
    """What a look decides determines which runs come next."""
    settings = _settings()
    plan = _plan(settings, *LADDER)
    finished, _ = _train(plan, settings, "emb+L0")
    stored: dict[str, RunRecord] = dict(finished.records)
    replayed = replay(plan, lambda specs: {spec.run_id: stored[spec.run_id] for spec in specs if spec.run_id in stored})
    assert len(replayed.finished.records) == 6
    assert [run.spec.freeze for run in replayed.left] == ["emb+L0-1"] * 3
    assert len(replayed.needed) == 9
    nothing = replay(plan, lambda _: {})
    assert (len(nothing.needed), nothing.needed) == (6, nothing.left)
    assert all(isinstance(run, NeededRun) for run in nothing.left)


@pytest.mark.parametrize("num_safe", [0, 1, 11, 24, 25])
def test_a_search_over_24_layers_gives_the_answer_of_all_in_a_third_of_its_runs(num_safe: int) -> None:
    """From made-up runs of a ladder whose deeper prefixes lose half of the accuracy."""
    ladder = [str(spec) for spec in parse_grid("all", 24)]
    accuracies = dict.fromkeys(ladder[1 + num_safe :], 0.4)
    answers, num_runs = {}, {}
    for grid in ("all", "search"):
        settings, finished = _settings(grid=grid, num_seeds="3,5"), FinishedRuns()
        plan = _plan(settings, *ladder)
        while needed := plan.runs_left(finished):
            spec = needed[0].spec
            record = made_up.record(spec.freeze, spec.seed, accuracy=accuracies.get(spec.freeze, 0.9), num_test=100)
            finished.add(needed[0], record)
        results = [plan.next_step(settings, freeze, finished) for freeze in ladder]
        answers[grid] = safe_prefixes([result for result in results if isinstance(result, ConfigurationResult)])[-1:]
        num_runs[grid] = len(finished.records)
    assert answers["search"] == answers["all"] == ladder[1:][:num_safe][-1:]
    assert num_runs["search"] <= num_runs["all"] / 3
