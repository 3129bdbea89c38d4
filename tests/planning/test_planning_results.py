"""The result of one look, and whether another one is needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import made_up
import made_up_scores
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.errors import SettingsError
from freezebench.planning import results
from freezebench.planning.finished import NeededRun
from freezebench.planning.results import (
    baseline_so_far,
    broken_baseline,
    is_open,
    needs_more,
    pooled_variance,
    result_of_look,
)
from freezebench.records.run_record import RunRecord
from freezebench.records.scores import pack_scores
from freezebench.specs.grid import PerSpec
from freezebench.specs.interim_looks import InterimLooks
from freezebench.specs.names import TaskName
from freezebench.verdicts.crossed import Interval
from freezebench.verdicts.noninferiority import Verdict, decide, invalid_verdict


def _settings(**flags: str) -> Settings:
    values = {"model": "tiny", "data": "made-up", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def test_the_baseline_so_far_has_all_its_seeds() -> None:
    """Candidates that needed more looks have extended it beyond its own first look."""
    settings = _settings(num_seeds="1,2")
    finished = made_up.finished(settings, made_up.record("none", 43), made_up.record("none", 42))
    assert [record.spec.seed for record in baseline_so_far(settings, finished).records] == [42, 43]


def test_a_result_has_the_rates_of_its_grid() -> None:
    """Advice on a rate keeps those of the others; those of configurations that are not in the grid only lengthen it."""
    rates = "1e-4,emb:2e-4,emb+L0:3e-4"
    for grid, expected in (("none,emb", "1e-4,emb:2e-4"), ("all", rates)):
        settings = _settings(lr=rates, grid=grid)
        runs = [made_up.record(seed=seed) for seed in settings.seeds]
        assert results.judged(settings, "none", runs, runs).rates == PerSpec.parse(expected)


def test_a_look_has_its_seeds_alone() -> None:
    """Later seeds, and those after an invalid one, do not count."""
    settings = _settings(num_seeds="2,3")
    finished = made_up.finished(settings, *made_up.seeds("none"), made_up.record("emb"), made_up.broken("emb", 43))
    finished.add(NeededRun(spec=settings.run_spec("emb", 44)), made_up.record("emb", 44))
    assert len(result_of_look(settings, "none", 2, finished).records) == 2
    result = result_of_look(settings, "emb", 3, finished)
    assert [record.is_valid for record in result.records] == [True, False]
    assert len(result.baseline) == 3


@pytest.mark.parametrize(
    ("records", "position"),
    [
        ([made_up.record("none", 42), made_up.record("none", 43)], None),
        ([made_up.record("none", 42), made_up.broken("none", 43)], 1),
        ([made_up.one_class("none", 44)], 2),
        (made_up.alike("none", 42, 43), None),
        (made_up.alike("none", 42, 43, 44), 2),
    ],
)
def test_a_baseline_breaks_at_the_first_useless_run(records: list[RunRecord], position: int | None) -> None:
    """Invalid, or of one class, even if earlier seeds have not ended; equal predictions once all seeds have them."""
    settings = _settings(num_seeds="3")
    assert broken_baseline(settings, 3, made_up.finished(settings, *records)) == position


def test_a_baseline_that_guesses_breaks_at_its_last_seed() -> None:
    """Before that the seeds to come may show that it has learned something."""
    settings, records = _settings(num_seeds="3"), made_up.seeds("none", accuracy=0.47)
    assert broken_baseline(settings, 3, made_up.finished(settings, *records[:2])) is None
    assert broken_baseline(settings, 3, made_up.finished(settings, *records)) == 2


def test_a_baseline_that_may_be_shown_to_have_learned_gets_its_next_look() -> None:
    """Candidates wait with it; after the last look it is broken, and one that guesses is at once."""
    settings = _settings(num_seeds="2,3")
    far_apart = [made_up.record("none", 42, accuracy=0.95), made_up.record("none", 43, accuracy=0.52)]
    finished = made_up.finished(settings, *far_apart, *made_up.seeds("emb"))
    assert broken_baseline(settings, 2, finished) is None
    for freeze in ("none", "emb"):
        result = result_of_look(settings, freeze, 2, finished)
        assert result.broken
        assert is_open(settings, result)
    finished.add(NeededRun(spec=settings.run_spec("none", 44)), made_up.record("none", 44, accuracy=0.55))
    assert broken_baseline(settings, 3, finished) == 2
    assert not is_open(settings, result_of_look(settings, "none", 3, finished))
    guessing = made_up.finished(settings, *made_up.seeds("none", accuracy=0.47))
    assert broken_baseline(settings, 2, guessing) == 1
    assert not is_open(settings, result_of_look(settings, "none", 2, guessing))


def test_candidates_of_a_broken_baseline_have_the_seeds_before_it() -> None:
    """The others may have been trained at the same time elsewhere, and must not make a difference."""
    settings = _settings(num_seeds="3")
    finished = made_up.finished(settings, made_up.record("none"), made_up.broken("none", 43), *made_up.seeds("emb"))
    result = result_of_look(settings, "emb", 3, finished)
    assert (len(result.records), len(result.baseline)) == (1, 2)
    assert result.broken == "the unfrozen baseline is invalid"


def test_the_variance_is_pooled_over_the_seeds_that_count() -> None:
    """Runs that another test added to a decided candidate leave the verdicts of this one as they are."""
    settings = _settings(num_seeds="2,4")
    records = [record for freeze in ("none", "emb", "emb+L0") for record in made_up.seeds(freeze, num=4)]
    few = [record for record in records if record.spec.freeze != "emb" or record.spec.seed < 44]
    seeds_of = {"emb": 2, "emb+L0": 4}
    pooled = pooled_variance(settings, seeds_of, made_up.finished(settings, *records))
    assert pooled is not None
    assert pooled == pooled_variance(settings, seeds_of, made_up.finished(settings, *few))
    assert pooled != pooled_variance(settings, dict.fromkeys(seeds_of, 4), made_up.finished(settings, *records))


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
    assert needs_more([open_, safe, None], looks)
    assert needs_more([worse, verdict(1.0, 3.0, num_seeds=5)], looks)
    assert not needs_more([worse, safe], looks)
    assert not needs_more([verdict(1.0, 3.0, num_seeds=8)], looks)
    assert not needs_more([], looks)


def test_invalid_runs_need_no_more_seeds() -> None:
    """More seeds would not repair what is invalid."""
    assert not needs_more([verdict(1.0, 3.0), invalid_verdict("out of memory")], InterimLooks())


def test_looks_at_the_wrong_error_rate_are_refused() -> None:
    """An open verdict at 0.05 cannot be one of three looks: its error rate would be void."""
    with pytest.raises(SettingsError, match="alpha"):
        needs_more([verdict(1.0, 3.0, alpha=0.05)], InterimLooks())


@pytest.mark.parametrize(
    ("task", "flags", "name"),
    [
        ("regression", {}, "pearson"),
        ("regression", {"metric": "rmse", "margin": "0.1"}, "rmse"),
        ("multi-label", {}, "macro-f1"),
        ("token-classification", {}, "entity-f1"),
        ("sequence-classification", {"metric": "auroc"}, "auroc"),
    ],
)
def test_looks_are_judged_by_the_metric_of_the_task(task: TaskName, flags: dict[str, str], name: str) -> None:
    """The usual one of the task, or the one of the settings; a clear loss needs no further seeds."""
    settings = _settings(num_seeds="3,5", **flags)
    # Too few examples are ranked wrong where nearly all are ranked right.
    noises = {"none": 1.0, "emb": 4.0} if task == "sequence-classification" else {"none": 0.5, "emb": 2.5}
    arms = [made_up_scores.runs(task, freeze, noise=noise, num_test=900) for freeze, noise in noises.items()]
    finished = made_up.finished(settings, *arms[0], *arms[1])
    result = result_of_look(settings, "emb", 3, finished)
    assert (result.metric, result.broken) == (name, None)
    assert result.verdict is not None
    assert result.verdict.outcome == "inferior"
    assert not is_open(settings, result)
    assert result_of_look(settings, "none", 3, finished).broken is None


def test_one_number_throughout_breaks_a_baseline_of_regression() -> None:
    """It is known after the first run."""
    settings = _settings(num_seeds="3")
    first = made_up_scores.runs("regression", num=1)[0]
    assert first.test is not None
    scores = pack_scores(np.full((300, 1), 3.0, dtype=np.float32))
    constant = replace(first, test=replace(first.test, scores=scores))
    finished = made_up.finished(settings, constant)
    assert broken_baseline(settings, 3, finished) == 0
    result = result_of_look(settings, "none", 3, finished)
    assert result.broken is not None
    assert result.broken.startswith("seed 42 predicts one number for every test sentence (3)")


def test_a_baseline_without_the_scores_of_its_metric_awaits_no_further_look() -> None:
    """More seeds would have recorded no more than the first ones."""
    settings = _settings(num_seeds="3,5", metric="auroc")
    finished = made_up.finished(settings, *made_up.seeds("none"), *made_up.seeds("emb"))
    assert broken_baseline(settings, 3, finished) == 2
    result = result_of_look(settings, "none", 3, finished)
    assert result.broken is not None
    assert "the metric needs scores" in result.broken


def test_limits_of_slices_are_those_of_the_settings() -> None:
    """They are parts of the joint gate."""
    facts: dict[str, Any] = {"test_slices": tuple(number % 2 for number in range(300)), "slice_names": ("web", "app")}
    settings = _settings(num_seeds="3", metric="macro-f1", slice_column="source", max_slice_drop="1")
    arms = [
        made_up_scores.runs("sequence-classification", freeze, noise=noise, **facts)
        for freeze, noise in (("none", 0.5), ("emb", 2.5))
    ]
    result = result_of_look(settings, "emb", 3, made_up.finished(settings, *arms[0], *arms[1]))
    (part,) = result.parts
    assert (part.quantity, part.standing, result.standing) == ("slices", "worse", "worse")


def test_the_same_runs_are_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other settings, or another run in the place of one, are judged anew."""
    finished_runs = made_up.finished(_settings(num_seeds="3"), *made_up.seeds("none"), *made_up.seeds("emb"))
    settings = _settings(num_seeds="3")
    first = result_of_look(settings, "emb", 3, finished_runs).verdict
    with monkeypatch.context() as patch:
        patch.setattr(results, "judge", None)
        assert result_of_look(settings, "emb", 3, finished_runs).verdict == first
    other = result_of_look(_settings(num_seeds="3", margin="7"), "emb", 3, finished_runs).verdict
    assert first is not None
    assert other is not None
    assert (first.margin_pp, other.margin_pp) == (2.0, 7.0)
    worse = made_up.record("emb", 43, accuracy=0.7)
    finished_runs.add(NeededRun(spec=settings.run_spec("emb", 43)), worse)
    changed = result_of_look(settings, "emb", 3, finished_runs).verdict
    assert changed is not None
    assert changed.drop_pp is not None
    assert first.drop_pp is not None
    assert changed.drop_pp > first.drop_pp
