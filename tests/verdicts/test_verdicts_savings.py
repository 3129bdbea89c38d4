"""Required savings: time and energy of interleaved runs, peak memory, and missing measurements."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import made_up
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.specs.grid import PerSpec
from freezebench.specs.limits import CostLimits
from freezebench.verdicts.gate import Part
from freezebench.verdicts.savings import savings_parts


def _run(freeze: str, seed: int, **readings: float) -> RunRecord:
    """Return a run with the given readings."""
    record = made_up.record(freeze, seed)
    own = {name: Reading(value=value, unit="s", source="made up") for name, value in readings.items()}
    return replace(record, readings={**record.readings, **own})


def _parts(unfrozen: list[float], frozen: list[float], *, earlier: float = 10.0, **limits: float) -> list[Part]:
    """Return the parts of ``emb`` for train times (and energies) of interleaved runs."""
    costs = CostLimits(**{name: PerSpec(default=limit) for name, limit in limits.items()})
    pairs = [
        (
            _run("none", 42 + index, train_s=old, cpu_energy_j=old),
            _run("emb", 42 + index, train_s=new, cpu_energy_j=new),
        )
        for index, (old, new) in enumerate(zip(unfrozen, frozen, strict=True))
    ]
    baseline = [_run("none", 42 + index, train_s=earlier, cpu_energy_j=earlier) for index in range(3)]
    return list(savings_parts("emb", costs, records=[new for _, new in pairs], baseline=baseline, pairs=pairs))


STEADY = [10.0, 10.1, 9.9, 10.0, 10.05]


def test_a_sufficient_speed_up_passes() -> None:
    """Twice as fast passes a required 1.5."""
    (part,) = _parts(STEADY, [time / 2 for time in STEADY], min_speedup=1.5)
    assert (part.quantity, part.standing) == ("train time", "ok")
    assert part.sentence.startswith(
        "train time: 2.00× the speed of no freezing, at least 1.5× the speed is required, 5 interleaved pairs"
    )


def test_a_speed_up_that_is_missed_every_time_fails() -> None:
    """The ratio is past its limit and the signed-rank test is significant."""
    (part,) = _parts(STEADY, [time / 1.2 for time in STEADY], min_speedup=1.5)
    assert part.standing == "worse"
    assert "1.20× the speed of no freezing, at least 1.5×" in part.sentence
    assert "p = 0.031" in part.sentence


def test_a_speed_up_within_the_noise_is_undecided() -> None:
    """Missed by the medians, but not in every pair."""
    (part,) = _parts(STEADY, [7.5, 6.0, 7.2, 6.1, 7.3], min_speedup=1.5)
    assert part.standing == "undecided"


def test_a_machine_that_differs_from_itself_decides_nothing() -> None:
    """Unfrozen runs took twice as long before as they take next to the frozen ones: invalid, no regression."""
    (part,) = _parts(STEADY, STEADY, earlier=20.0, min_speedup=1.5)
    assert part.standing == "broken"
    assert "machine is too noisy" in part.sentence


def test_energy_is_judged_like_time() -> None:
    """Half the energy is 50 % saved."""
    (part,) = _parts(STEADY, [time / 2 for time in STEADY], min_energy_saving=40.0)
    assert (part.quantity, part.standing) == ("energy", "ok")
    assert "50.0 % saved against no freezing, at least 40 % saved" in part.sentence


def test_what_was_not_measured_is_undecided_with_its_reason() -> None:
    """A missing measurement of energy neither passes nor fails."""
    runs = [made_up.record("none", 42), made_up.record("emb", 42)]
    costs = CostLimits(min_energy_saving=PerSpec(default=5.0))
    (part,) = savings_parts("emb", costs, records=runs[1:], baseline=runs[:1], pairs=[(runs[0], runs[1])])
    assert part.standing == "undecided"
    assert made_up.NO_RAPL in part.sentence


def test_an_invalid_interleaved_run_breaks_the_part() -> None:
    """The cause is named; nothing is averaged."""
    runs = [made_up.broken("none"), made_up.record("emb", 42)]
    costs = CostLimits(min_speedup=PerSpec(default=1.5))
    (part,) = savings_parts("emb", costs, records=runs[1:], baseline=made_up.seeds("none"), pairs=[(runs[0], runs[1])])
    assert part.standing == "broken"
    assert "non-finite loss" in part.sentence


@pytest.mark.parametrize("limit", ["min_speedup", "min_energy_saving"])
def test_one_contended_run_breaks_the_part(limit: str) -> None:
    """The sentence names the run and its share; the other nine runs alone are not judged."""
    costs = CostLimits(**{limit: PerSpec(default=1.5)})
    pairs = [
        (_run("none", seed, train_s=2.0, cpu_energy_j=2.0), _run("emb", seed, train_s=1.0, cpu_energy_j=1.0))
        for seed in range(42, 47)
    ]
    pairs[1] = (pairs[1][0], made_up.contended(pairs[1][1]))
    baseline = [old for old, _ in pairs]
    (part,) = savings_parts("emb", costs, records=[new for _, new in pairs], baseline=baseline, pairs=pairs)
    assert part.standing == "broken"
    assert "1 of 10 runs trained on a busy machine (seed 43 of emb): up to 41 % of the training time" in part.sentence
    assert part.sentence.endswith("run it again alone (--freeze-resume=no)")


def test_a_contended_run_that_ended_its_series_counts_once() -> None:
    """Without a partner it is its own."""
    run = made_up.contended(_run("emb", 42, train_s=1.0))
    first = _run("none", 42, train_s=2.0)
    costs = CostLimits(min_speedup=PerSpec(default=1.5))
    pairs = [(first, _run("emb", 42, train_s=1.0)), (run, run)]
    (part,) = savings_parts("emb", costs, records=[run], baseline=[first], pairs=pairs)
    assert "1 of 3 runs" in part.sentence


@pytest.mark.parametrize(("num_contended", "standing"), [(2, "ok"), (3, "broken")])
def test_contended_runs_of_before_are_left_out_of_the_check_of_noise(num_contended: int, standing: str) -> None:
    """They took twice as long, which would look like a noisy machine; without any other nothing can be checked."""
    pairs = [(_run("none", seed, train_s=10.0), _run("emb", seed, train_s=5.0)) for seed in range(42, 47)]
    quiet = [_run("none", 42 + index, train_s=10.0) for index in range(3 - num_contended)]
    slow = [made_up.contended(_run("none", 50 + index, train_s=20.0)) for index in range(num_contended)]
    costs = CostLimits(min_speedup=PerSpec(default=1.5))
    (part,) = savings_parts("emb", costs, records=[new for _, new in pairs], baseline=[*quiet, *slow], pairs=pairs)
    assert part.standing == standing


def test_peak_memory_does_not_depend_on_what_else_the_machine_does() -> None:
    """A contended run has the same peak."""
    runs = [made_up.contended(made_up.record(freeze)) for freeze in ("none", "emb")]
    costs = CostLimits(min_memory_saving=PerSpec(default=20.0))
    (part,) = savings_parts("emb", costs, records=runs[1:], baseline=runs[:1], pairs=[])
    assert part.standing == "ok"


@pytest.mark.parametrize(("required", "standing"), [(20.0, "ok"), (25.0, "ok"), (26.0, "worse")])
def test_peak_memory_goes_by_plain_tolerance(required: float, standing: str) -> None:
    """The made-up emb saves a quarter of the memory."""
    (part,) = _parts(STEADY, STEADY, min_memory_saving=required)
    assert part.standing == standing
    assert part.sentence == f"peak memory: 25.0 % saved against no freezing, at least {required:g} % is required"


def test_nothing_is_required_of_configurations_without_a_number() -> None:
    """Limits are per configuration."""
    costs = CostLimits(min_speedup=PerSpec(by_spec=(("emb+L0", 1.5),)))
    arms: dict[str, Any] = {"records": made_up.seeds("emb"), "baseline": made_up.seeds("none")}
    assert savings_parts("emb", costs, pairs=[], **arms) == ()
    assert not costs.needs_paired_runs("emb")
    assert costs.needs_paired_runs("emb+L0")


def _on(model: str, runs: list[RunRecord]) -> list[RunRecord]:
    return [replace(run, device_name=model) for run in runs]


def test_earlier_runs_on_another_device_model_check_no_noise() -> None:
    """They took twice as long, as that device does; without any on the pairs' own model nothing is decided."""
    unfrozen, frozen = (
        _on("A100", [_run(freeze, seed, train_s=time_s) for seed in range(42, 47)])
        for freeze, time_s in (("none", 10.0), ("emb", 5.0))
    )
    pairs = list(zip(unfrozen, frozen, strict=True))
    slow = _on("T4", [_run("none", seed, train_s=20.0) for seed in (42, 43)])
    costs = CostLimits(min_speedup=PerSpec(default=1.5))
    (part,) = savings_parts("emb", costs, records=frozen, baseline=[*slow, *unfrozen[2:]], pairs=pairs)
    assert part.standing == "ok"
    (part,) = savings_parts("emb", costs, records=frozen, baseline=slow, pairs=pairs)
    assert part.standing == "undecided"
    assert "cannot be compared: A100, T4; choose devices of one model (--freeze-devices, " in part.sentence


def test_times_of_two_engines_are_not_compared() -> None:
    """A required saving is not decided by an engine that the unfrozen runs do not have."""
    unfrozen, frozen = (
        [
            replace(run, spec=replace(run.spec, protocol=replace(run.spec.protocol, engine="trainer")))
            for run in (_run(freeze, seed, train_s=time_s) for seed in range(42, 47))
        ]
        for freeze, time_s in (("none", 10.0), ("lpft", 5.0))
    )
    costs = CostLimits(min_speedup=PerSpec(default=1.5))
    pairs = list(zip(unfrozen, frozen, strict=True))
    (part,) = savings_parts("lpft", costs, records=frozen, baseline=unfrozen, pairs=pairs)
    assert part.standing == "undecided"
    assert "cannot be compared: the unfrozen runs were trained by another engine" in part.sentence


def test_peaks_are_compared_on_one_device_model() -> None:
    """The larger peaks of another model belong to no ratio, unless both arms have them there alone."""
    costs = CostLimits(min_memory_saving=PerSpec(default=20.0))
    seeds = [made_up.seeds(freeze, num=3) for freeze in ("none", "emb")]
    unfrozen, frozen = (
        [*_on("A100", arm[:2]), *_on("T4", [replace(arm[2], readings={"peak_rss_bytes": huge})])]
        for arm, huge in zip(seeds, (_peak(9.0), _peak(9.0)), strict=True)
    )
    (part,) = savings_parts("emb", costs, records=frozen, baseline=unfrozen, pairs=[])
    assert (part.standing, part.sentence) == (
        "ok",
        "peak memory: 25.0 % saved against no freezing, at least 20 % is required",
    )
    (part,) = savings_parts("emb", costs, records=frozen[:2], baseline=unfrozen[2:], pairs=[])
    assert (part.standing, "another model of device" in part.sentence) == ("undecided", True)


def _peak(gib: float) -> Reading:
    return Reading(value=gib * 2**30, unit="B", source="made up")
