"""The speed-up and its interval: formula, symmetry, coverage, and which runs count."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import made_up
from freezebench.errors import SettingsError
from freezebench.records.device_models import OTHER_DEVICES
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.verdicts.speedup import OTHER_ENGINE, OTHER_SESSION, paired_speedup, speedup_of, speedup_outcome

_TIMES = st.floats(min_value=1e-3, max_value=1e6)
_ARMS = st.lists(st.tuples(_TIMES, _TIMES), min_size=2, max_size=8)


def _arms(pairs: list[tuple[float, float]]) -> tuple[dict[int, float], dict[int, float]]:
    return dict(enumerate(old for old, _ in pairs)), dict(enumerate(new for _, new in pairs))


def test_the_interval_is_students_of_the_log_ratios() -> None:
    """Three pairs: the mean of the logarithms ± 2.92 standard errors, computed by hand."""
    found = paired_speedup({1: 20.0, 2: 22.0, 3: 18.0}, {1: 10.0, 2: 10.0, 3: 10.0})
    logs = np.log([2.0, 2.2, 1.8])
    half = 2.919986 * logs.std(ddof=1) / math.sqrt(3)
    assert found.ratio == pytest.approx(math.exp(logs.mean()))
    assert (found.lower, found.upper) == pytest.approx((math.exp(logs.mean() - half), math.exp(logs.mean() + half)))
    assert (found.outcome, found.num_pairs, found.reason) == ("gain", 3, None)


def test_pairs_are_those_of_a_seed() -> None:
    """The order of the seeds is free, and a seed of one arm alone does not count."""
    found = paired_speedup({1: 10.0, 2: 40.0, 3: 7.0}, {2: 20.0, 1: 5.0, 4: 1.0})
    assert found.ratio == pytest.approx(2.0)
    assert found.num_pairs == 2


def test_one_pair_has_no_interval_and_claims_nothing() -> None:
    """The ratio is shown; whether it is a gain is unknown."""
    found = paired_speedup({1: 20.0}, {1: 10.0})
    assert found.ratio == pytest.approx(2.0)
    assert (found.lower, found.upper, found.outcome) == (None, None, "unknown")


def test_without_a_pair_there_is_a_reason() -> None:
    """No figure without a reason."""
    found = paired_speedup({1: 20.0}, {2: 10.0})
    assert (found.ratio, found.outcome, found.reason) == (None, "unknown", "no seed has a time in both arms")


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.inf, math.nan])
def test_a_time_is_positive(seconds: float) -> None:
    """A missing time must not be passed as zero."""
    with pytest.raises(SettingsError, match="no time of training"):
        paired_speedup({1: seconds}, {1: 1.0})


@pytest.mark.parametrize(
    ("lower", "upper", "outcome"),
    [(1.01, 2.0, "gain"), (0.5, 0.99, "loss"), (0.9, 1.1, "unclear"), (1.0, 1.2, "unclear"), (None, None, "unknown")],
)
def test_only_an_interval_without_1_claims_something(lower: float | None, upper: float | None, outcome: str) -> None:
    """A bound of exactly 1 does not exclude 1."""
    assert speedup_outcome(lower, upper) == outcome


@given(_ARMS)
def test_exchanging_the_arms_inverts_the_interval(pairs: list[tuple[float, float]]) -> None:
    """Mirror symmetry: the bounds of the inverse ratio are the inverse bounds, and gain becomes loss."""
    old, new = _arms(pairs)
    forth, back = paired_speedup(old, new), paired_speedup(new, old)
    assert forth.ratio is not None
    assert forth.lower is not None
    assert forth.upper is not None
    assert back.ratio is not None
    assert back.lower is not None
    assert back.upper is not None
    assert forth.lower <= forth.ratio * (1 + 1e-9)
    assert forth.ratio <= forth.upper * (1 + 1e-9)
    for value, inverse in ((forth.ratio, back.ratio), (forth.lower, back.upper), (forth.upper, back.lower)):
        # Times that differ by nine orders of magnitude in two pairs have bounds beyond floating-point numbers.
        if 0 < inverse < math.inf:
            assert value == pytest.approx(1 / inverse, rel=1e-6)


@given(_ARMS, st.floats(min_value=0.01, max_value=100))
def test_a_slower_machine_changes_nothing(pairs: list[tuple[float, float]], factor: float) -> None:
    """Only ratios count, not the unit of time."""
    old, new = _arms(pairs)
    slow = paired_speedup(*({seed: factor * value for seed, value in arm.items()} for arm in (old, new)))
    assert slow.ratio == pytest.approx(paired_speedup(old, new).ratio, rel=1e-6)


@pytest.mark.parametrize("num", [2, 3, 5])
def test_each_bound_misses_at_the_stated_rate(num: int) -> None:
    """With log-normal noise each bound misses the true ratio in 5 % of 4,000 simulated sessions."""
    rng = np.random.default_rng(num)
    truth = 1.7
    missed = [0, 0]
    for _ in range(4000):
        candidate = 10 * np.exp(rng.normal(0, 0.04, num))
        # The drift of a seed's minutes is common to both arms.
        drift = np.exp(rng.normal(0, 0.3, num))
        baseline = truth * 10 * np.exp(rng.normal(0, 0.04, num)) * drift
        found = paired_speedup(dict(enumerate(baseline)), dict(enumerate(candidate * drift)))
        assert found.lower is not None
        assert found.upper is not None
        missed[0] += found.lower > truth
        missed[1] += found.upper < truth
    # Three standard errors of a rate of 5 % are one point.
    assert [count / 40 for count in missed] == pytest.approx([5.0, 5.0], abs=1.1)


def _runs(freeze: str, seconds: list[float], shares: list[float | None], **changes: Any) -> list[RunRecord]:
    """Return runs of the seeds 42, 43, … with these train times and contended shares."""
    runs = []
    for index, (time_s, share) in enumerate(zip(seconds, shares, strict=True)):
        record = made_up.record(freeze, 42 + index, **changes)
        readings = {"train_s": Reading(value=time_s, unit="s", source="clock")}
        if share is not None:
            readings["contended_share"] = Reading(value=share, unit="1", source="made up")
        runs.append(replace(record, readings=readings))
    return runs


def test_contended_seeds_of_either_arm_are_left_out() -> None:
    """One disturbed run per arm leaves one undisturbed pair of three."""
    baseline = _runs("none", [20.0, 90.0, 20.0], [0.0, 0.4, 0.0])
    candidate = _runs("emb", [10.0, 10.0, 70.0], [None, 0.0, 0.3])
    found = speedup_of(candidate, baseline)
    assert found.ratio == pytest.approx(2.0)
    assert found.num_pairs == 1


def test_without_an_undisturbed_pair_the_reason_is_contention() -> None:
    """The sentence has how many seeds, how much, and what to do."""
    baseline = _runs("none", [20.0, 20.0], [0.0, 0.41])
    candidate = _runs("emb", [10.0, 10.0], [0.2, 0.0])
    assert speedup_of(candidate, baseline).reason == (
        "2 of 2 seeds trained on a busy machine: up to 41 % of the training time threads waited for a processor; "
        "run it again alone (--freeze-resume=no)"
    )


def test_a_gpu_is_judged_by_the_processes_on_it() -> None:
    """Waiting for a processor of the host does not remove a run on a GPU."""
    baseline, candidate = (_runs(freeze, [10.0], [0.4], device="cuda:0") for freeze in ("none", "emb"))
    assert speedup_of(candidate, baseline).ratio == pytest.approx(1.0)


def test_a_time_that_was_not_measured_has_no_part() -> None:
    """The other seeds still give a speed-up."""
    baseline, candidate = _runs("none", [20.0, 20.0], [None] * 2), _runs("emb", [10.0, 10.0], [None] * 2)
    shared = replace(candidate[0], readings={"train_s": Reading.not_measured("s", "clock", "device shared")})
    assert speedup_of([shared, candidate[1]], baseline).num_pairs == 1


def test_times_of_two_engines_are_not_compared() -> None:
    """A schedule that the engine of the session cannot train has the time of another one."""
    baseline, candidate = (
        [
            replace(run, spec=replace(run.spec, protocol=replace(run.spec.protocol, engine="trainer")))
            for run in _runs(freeze, [20.0, 20.0], [0.0] * 2)
        ]
        for freeze in ("none", "lpft")
    )
    assert [candidate[0].spec.engine, baseline[0].spec.engine] == ["cached", "trainer"]
    found = speedup_of(candidate, baseline)
    assert (found.ratio, found.reason) == (None, OTHER_ENGINE)


def test_times_of_two_sessions_are_not_compared() -> None:
    """The machine may have run at another speed; pairs of one session still count, whichever it is."""
    baseline, candidate = _runs("none", [20.0, 20.0], [0.0] * 2), _runs("emb", [10.0, 4.0], [0.0] * 2)
    arms = [[replace(run, session="monday") for run in arm] for arm in (baseline, candidate)]
    later = replace(arms[1][1], session="tuesday")
    found = speedup_of([arms[1][0], later], arms[0])
    assert found.ratio == pytest.approx(2.0)
    assert found.num_pairs == 1
    assert speedup_of([later], arms[0]).reason == OTHER_SESSION
    assert speedup_of([later], [replace(run, session="tuesday") for run in baseline]).ratio == pytest.approx(5.0)


def _on(runs: list[RunRecord], *device_names: str) -> list[RunRecord]:
    """Return the runs on one device each."""
    return [replace(run, device_name=name) for run, name in zip(runs, device_names, strict=True)]


def test_pairs_are_of_the_device_model_that_has_most_of_them() -> None:
    """An A100 gains less than a T4; of equally many pairs the first model counts."""
    baseline, candidate = _runs("none", [20.0] * 4, [None] * 4), _runs("emb", [10.0, 5.0, 10.0, 5.0], [None] * 4)
    devices = ("A100", "T4", "A100", "T4")
    first = speedup_of(_on(candidate, *devices), _on(baseline, *devices))
    assert first.ratio == pytest.approx(2.0)
    assert first.num_pairs == 2
    most = speedup_of(_on(candidate, *devices)[1:], _on(baseline, *devices))
    assert most.ratio == pytest.approx(4.0)


def test_a_pair_is_of_one_device_model() -> None:
    """A frozen run on another model than its unfrozen one is no pair, and without any other the reason says so."""
    baseline, candidate = _runs("none", [20.0, 20.0], [None] * 2), _runs("emb", [10.0, 5.0], [None] * 2)
    found = speedup_of(_on(candidate, "A100", "T4"), _on(baseline, "A100", "A100"))
    assert found.ratio == pytest.approx(2.0)
    assert found.num_pairs == 1
    assert speedup_of(_on(candidate, "T4", "T4"), _on(baseline, "A100", "A100")).reason == OTHER_DEVICES


def test_runs_beside_others_have_no_speedup_and_the_reason_why() -> None:
    """The reason is that of the times; that their threads waited as well is no other one."""
    baseline, candidate = (_runs(freeze, [10.0], [0.4]) for freeze in ("none", "emb"))
    arms = [[run.without_times("trained beside others") for run in arm] for arm in (baseline, candidate)]
    assert speedup_of(arms[1], arms[0]).reason == "trained beside others"


def test_runs_without_times_have_that_reason_whichever_session_trained_them() -> None:
    """Training in one session would give them no times either."""
    baseline, candidate = (_runs(freeze, [10.0], [None]) for freeze in ("none", "emb"))
    untimed = [replace(run.without_times("trained beside others"), session="tuesday") for run in candidate]
    assert speedup_of(untimed, baseline).reason == "trained beside others"
