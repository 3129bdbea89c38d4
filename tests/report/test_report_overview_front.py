"""The joint Pareto front ranks what may be compared."""

from __future__ import annotations

from dataclasses import replace

import made_up
from freezebench.records.run_record import RunRecord
from freezebench.report.overview.front import Front, front
from freezebench.report.overview.rows import overview_rows
from studies import Study, ladder, two_by_two, uneven


def _front(*studies: Study) -> Front | None:
    return front(overview_rows([study.experiment() for study in studies]))


def test_nothing_is_cheaper_and_loses_less_than_a_point_of_the_front() -> None:
    """Configurations of all experiments compete, by time where all have one on the same device model."""
    shown = front(overview_rows(two_by_two()))
    assert shown is not None
    assert shown.cost_name == "time"
    assert shown.why_no_times is None
    assert len(shown.points) == 2 * 7 + 2 * 4, "baselines cost everything and lose nothing, so they do not compete"
    for point in shown.points:
        beaten = [other for other in shown.points if other.cost <= point.cost and other.upper_pp <= point.upper_pp]
        is_best = all((other.cost, other.upper_pp) == (point.cost, point.upper_pp) for other in beaten)
        assert not (point in shown.best and not is_best)
    costs = [point.cost for point in shown.best]
    assert costs == sorted(costs)
    assert {point.row.number for point in shown.best} == {3, 4}


def test_times_of_different_device_models_are_never_ranked() -> None:
    """The share of parameters that train takes their place, and the reason is given."""
    shown = front(overview_rows(uneven()))
    assert shown is not None
    assert shown.cost_name == "parameters"
    assert shown.why_no_times is not None
    assert shown.why_no_times.startswith("they are those of 2 device models (a CPU of two cores, NVIDIA GPU")
    assert all(point.cost == point.configuration.trainable_fraction for point in shown.points)


def test_one_missing_time_leaves_all_times_out() -> None:
    """Otherwise what was not measured would look worse than what was."""

    def busy(run: RunRecord) -> RunRecord:
        return made_up.contended(run) if run.spec.freeze == "emb+L0" else run

    shown = _front(Study(), Study(data="tweets", change=busy))
    assert shown is not None
    assert shown.cost_name == "parameters"
    assert shown.why_no_times is not None
    assert shown.why_no_times.startswith("experiment 2 has none that counts for emb+L0 (")


def test_a_lucky_small_sample_does_not_lead() -> None:
    """Bounds are ranked, not means: 60 test sentences may show a gain by chance."""
    shown = _front(Study(), Study(data="few", num_test=60))
    assert shown is not None
    assert any(point.configuration.drop_pp is not None and point.row.number == 2 for point in shown.points)
    assert {point.row.number for point in shown.best} == {1}


def test_one_seed_and_invalid_runs_do_not_compete() -> None:
    """The bound of one seed holds for no new training run."""

    def invalid(run: RunRecord) -> RunRecord:
        return made_up.broken(run.spec.freeze, run.spec.seed)

    one = Study(accuracies=ladder(6, safe=3)).experiment()
    rows = tuple(replace(row, num_seeds=1) for row in one.rows)
    single = replace(one, summary=replace(one.summary, rows=rows))
    assert front(overview_rows([single, single])) is None
    assert _front(Study(change=invalid), Study(change=invalid)) is None
