"""Old against new: partners, refusals, and the four quantities."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from freezebench.records.saved import SavedConfiguration, from_records
from freezebench.specs.grid import PerSpec
from freezebench.specs.limits import CostLimits
from freezebench.verdicts.compare import Observation, Pair, compare, compare_pair
from freezebench.verdicts.matching import differences, match
from made_up import broken, seeds
from saved_runs import configuration, saved, timed, with_protocol


def limits(**numbers: float) -> CostLimits:
    """Return limits of every configuration."""
    return CostLimits(**{name: PerSpec(default=number) for name, number in numbers.items()})


def timed_configuration(**factors: float) -> SavedConfiguration:
    """Return five runs of emb with multiplied readings."""
    return from_records("emb", timed(seeds("emb", num=5), **factors), node_id="t.py::test_it[emb]")


def seen(pair: Pair) -> dict[str, Observation]:
    """Return the observations by quantity."""
    return {one.quantity: one for one in pair.observations}


def test_the_same_run_passes() -> None:
    """A run is not worse than itself; without limits, accuracy alone gates."""
    comparison = compare(saved(configuration(num=5)), saved(configuration(num=5)), margin_pp=2)
    assert comparison.standing == "ok"
    assert [part.quantity for part in comparison.pairs[0].parts] == ["accuracy"]
    assert comparison.only_old == comparison.only_new == ()


@pytest.mark.parametrize(("accuracy", "standing"), [(0.9, "ok"), (0.88, "undecided"), (0.7, "worse")])
def test_accuracy_gates_by_itself(accuracy: float, standing: str) -> None:
    """The drop from old to new stands beside the margin."""
    pair = compare_pair(configuration(), configuration(accuracy=accuracy), margin_pp=2)
    assert pair.parts[0].standing == standing
    assert "at most 2 points below the saved run allowed, 3 seeds" in pair.parts[0].sentence
    assert "bound" in pair.parts[0].sentence


def test_one_seed_decides_nothing() -> None:
    """Training noise cannot be told from a change."""
    pair = compare_pair(configuration(num=1), configuration(num=1), margin_pp=2)
    assert pair.parts[0].standing == "undecided"
    assert "1 seed" in pair.parts[0].sentence


def test_other_seeds_are_paired_in_order_and_common_ones_with_themselves() -> None:
    """Whoever reads it is told."""
    old = configuration(num=3)
    other = replace(old, runs=tuple(replace(run, seed=run.seed + 100) for run in old.runs))
    assert "other seeds, paired in order" in compare_pair(old, other, margin_pp=2).parts[0].sentence
    more = compare_pair(old, configuration(num=5), margin_pp=2).parts[0]
    assert "3 seeds" in more.sentence
    assert "paired in order" not in more.sentence


@pytest.mark.parametrize(("factor", "standing"), [(1.0, "ok"), (1.5, "worse")])
@pytest.mark.parametrize(
    ("quantity", "limit", "metric"),
    [
        ("train time", "max_time", "train_s"),
        ("energy", "max_energy", "cpu_energy_j"),
        ("peak memory", "max_memory", "peak_rss_bytes"),
    ],
)
def test_costs_gate_with_a_limit_only(quantity: str, limit: str, metric: str, factor: float, standing: str) -> None:
    """Limit and observation stand side by side; without a limit the figures are shown."""
    old, new = timed_configuration(**{metric: 1.0}), timed_configuration(**{metric: factor})
    one = seen(compare_pair(old, new, margin_pp=2, costs=limits(**{limit: 1.1})))[quantity]
    assert one.standing == standing
    assert f"{quantity}: {factor:.3f}× the saved run's, at most 1.1× allowed" in one.sentence
    shown = seen(compare_pair(old, new, margin_pp=2))[quantity]
    assert (shown.standing, shown.old, shown.new) == (None, one.old, one.new)


def test_few_runs_leave_time_undecided() -> None:
    """Three runs a side prove nothing about time, and the way out is named."""
    one = seen(compare_pair(configuration(), configuration(), margin_pp=2, costs=limits(max_time=1.1)))["train time"]
    assert one.standing == "undecided"
    assert "3 against 3 saved runs, at least 5 on both sides are needed: --freeze-num-seeds=5" in one.sentence


def test_what_was_not_measured_neither_passes_nor_fails() -> None:
    """A limit on energy without a reading is undecided, and the side is named."""
    pair = compare_pair(configuration(), configuration(), margin_pp=2, costs=limits(max_energy=1.1))
    assert seen(pair)["energy"].standing == "undecided"
    assert seen(pair)["energy"].sentence.endswith("not measured in the saved run")


def test_another_device_refuses_time_and_energy_only() -> None:
    """Accuracy and, on a device of the same kind, memory are still compared."""
    new = replace(timed_configuration(train_s=1.0), device_name="another CPU")
    costs = limits(max_time=1.1, max_memory=1.1)
    pair = compare_pair(timed_configuration(train_s=1.0), new, margin_pp=2, costs=costs)
    standings = {quantity: (one.standing, one.is_comparable) for quantity, one in seen(pair).items()}
    assert standings == {
        "accuracy": ("ok", True),
        "train time": ("undecided", False),
        "peak memory": ("ok", True),
        "energy": (None, False),
    }
    assert "device a CPU → another CPU" in seen(pair)["train time"].sentence
    gpu = replace(new, device="cuda:0")
    assert not seen(compare_pair(timed_configuration(), gpu, margin_pp=2))["peak memory"].is_comparable


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model": "large"}, ["model tiny → large"]),
        ({"model_sha256": "cd" * 32}, ["model weights sha256 abababababab → sha256 cdcdcdcdcdcd"]),
        ({"model_sha256": None}, []),
        ({"data": "moved"}, []),
        (
            {"data": "b", "data_sha256": {"train": "t", "validation": "v", "test": "x"}},
            ["data made-up → b", "test sentences sha256 test400 → sha256 x"],
        ),
        ({"precision": "bf16"}, ["precision float32 → bf16"]),
        ({"experiment_id": "another"}, []),
    ],
)
def test_differences_are_named_with_both_values(changes: dict[str, Any], expected: list[str]) -> None:
    """Content decides where it is known: data that only moved are the same data."""
    assert differences(configuration(), replace(configuration(), **changes)) == expected


def test_another_protocol_refuses_everything() -> None:
    """Nothing is compared, the field is named, and the gate is undecided rather than green."""
    new = from_records(
        "emb", with_protocol(seeds("emb"), num_epochs=3, learning_rate=1e-3), node_id="t.py::test_it[emb]"
    )
    pair = compare_pair(configuration(), new, margin_pp=2)
    assert pair.refused == "num_epochs 2 → 3, learning_rate 5e-05 → 0.001"
    assert pair.observations == ()
    assert [part.standing for part in pair.parts] == ["undecided"]


def test_broken_runs_are_never_compared() -> None:
    """The side is named; a new run that broke is no pass."""
    fault = from_records("emb", [broken("emb")], node_id="t.py::test_it[emb]")
    assert "broke in the new run: seed 42: non-finite loss" in str(
        compare_pair(configuration(), fault, margin_pp=2).refused
    )
    assert "broke in the saved run" in str(compare_pair(fault, configuration(), margin_pp=2).refused)
    assert compare(saved(configuration()), saved(fault), margin_pp=2).standing == "broken"
    assert compare(saved(fault), saved(configuration()), margin_pp=2).standing == "undecided"


def test_partners_are_tests_then_experiments_then_freeze_specs() -> None:
    """A renamed test finds its partner; one whose protocol changed, too, so that the change can be named."""
    old = [configuration("none"), configuration("emb"), configuration("head")]
    renamed = configuration("emb", test="u.py::test_other")
    changed = replace(configuration("head", test="u.py::test_other"), experiment_id="another")
    new = [renamed, changed, configuration("none"), configuration("emb+L0")]
    assert match(old, new) == [(old[1], renamed), (old[2], changed), (old[0], new[2])]


def test_what_is_not_unique_has_no_partner() -> None:
    """Of two renamed tests with one configuration, none is guessed; all are listed."""
    old = saved(configuration("emb"))
    new = saved(configuration("emb", test="a.py::test_a"), configuration("emb", test="b.py::test_b"))
    comparison = compare(old, new, margin_pp=2)
    assert comparison.pairs == ()
    assert comparison.only_old == ("t.py::test_it[emb]",)
    assert comparison.only_new == ("a.py::test_a[emb]", "b.py::test_b[emb]")
