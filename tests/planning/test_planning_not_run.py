"""Configurations that are not run, since they train what another one trains, or nothing."""

from __future__ import annotations

import pytest

from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.planning.not_run import PreflightGrid, not_run, preflight_grids
from freezebench.records.trainable_set import TrainableSet

NOTHING = TrainableSet.of((), num_params=0)


def trains(*names: str) -> TrainableSet:
    """Return a set of parameters, one number each."""
    return TrainableSet.of(names, num_params=len(names))


def _settings(**flags: str) -> Settings:
    values = {"model": "tiny", "data": "made-up", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def _same_as(grid: list[str], trainable: dict[str, TrainableSet]) -> dict[str, str | None]:
    return {freeze: result.same_as for freeze, result in not_run(grid, trainable, "tiny").items()}


def test_sets_are_equal_by_their_names_in_any_order() -> None:
    """Equal numbers of other parameters are another set."""
    assert trains("a", "b") == trains("b", "a")
    assert trains("a", "b") != trains("a", "c")


def test_the_least_frozen_of_those_that_train_the_same_is_run() -> None:
    """The order of the grid does not matter; what differs from all others is run."""
    half, head = trains("L1", "head"), trains("head")
    trainable = {"none": half, "emb": half, "emb+L0": half, "L0": half, "emb+L0-1": head, "L1": head}
    assert _same_as(["emb+L0-1", "L1", "emb+L0", "L0", "emb"], trainable) == {
        "emb": "none",
        "L0": "none",
        "emb+L0": "none",
        "emb+L0-1": "L1",
    }


def test_the_baseline_counts_where_the_grid_lacks_it() -> None:
    """It runs for every comparison."""
    assert _same_as(["emb"], {"none": trains("a"), "emb": trains("a")}) == {"emb": "none"}


def test_a_configuration_outside_the_table_is_nothing_to_be_the_same_as() -> None:
    """Another table has runs of its own."""
    trainable = {"none": trains("a", "b"), "emb": trains("b"), "emb+L0": trains("b")}
    assert _same_as(["emb+L0"], trainable) == {}
    assert _same_as(["emb", "emb+L0"], trainable) == {"emb+L0": "emb"}


def test_what_trains_nothing_is_left_out_and_never_the_same_as_another_one() -> None:
    """Its result has the reason, and neither runs nor a verdict."""
    results = not_run(["emb", "head"], {"none": trains("a"), "emb": NOTHING, "head": NOTHING}, "tiny")
    assert {freeze: result.left_out for freeze, result in results.items()} == dict.fromkeys(
        ("emb", "head"), "nothing of tiny would be left to train"
    )
    for result in results.values():
        assert (result.records, result.verdict, result.gate, result.broken, result.same_as) == (
            (),
            None,
            None,
            None,
            None,
        )
        assert (result.was_run, result.standing) == (False, "no_limit")


def test_what_cannot_be_applied_is_left_out_with_its_reason() -> None:
    """Whether the model or the session refuses it; it is never what another one is the same as."""
    trainable = {"none": trains("a"), "emb": TrainableSet.refused("tiny has no biases"), "head": trains("b")}
    results = not_run(["emb", "head", "L0"], trainable, "tiny", {"L0": "it needs two epochs", "L7": "x"})
    assert {freeze: result.left_out for freeze, result in results.items()} == {
        "emb": "tiny has no biases",
        "L0": "it needs two epochs",
    }


def test_what_cannot_train_is_not_tried_on_the_model() -> None:
    """The others are, and the baseline."""
    settings = _settings(grid="all,L0")
    grids = preflight_grids([(settings, "emb"), (settings, "L0")], lambda _: {"emb": "x"})
    assert grids == {settings.experiment: PreflightGrid(named={"none", "L0"}, unnamed=set())}


def test_unknown_sets_leave_nothing_out() -> None:
    """As where no model was loaded."""
    assert not_run(["none", "emb"], {}, "tiny") == {}
    assert _same_as(["none", "emb"], {"none": trains("a")}) == {}


@pytest.mark.parametrize(
    ("grid", "named"),
    [("all", {"none"}), ("none,emb", {"none", "emb"}), ("all,L0+emb", {"none", "emb+L0"})],
)
def test_who_lists_a_configuration_by_its_own_id_names_it(grid: str, named: set[str]) -> None:
    """The others of `all` may be left out; the baseline may not."""
    settings = _settings(grid=grid)
    planned = [(settings, freeze) for freeze in ("none", "emb", "emb+L0")]
    (own,) = preflight_grids(planned).values()
    assert own.named == named
    assert own.all == ["none", "emb", "emb+L0"]


def test_one_test_that_names_a_configuration_is_enough() -> None:
    """Two tests of one experiment share a preflight check; another model has its own."""
    planned = [
        (_settings(), "emb"),
        (_settings(grid="emb"), "emb"),
        (_settings(grid="none"), "none"),
        (_settings(model="other"), "emb"),
    ]
    first, other = preflight_grids(planned).values()
    assert (first.named, first.unnamed) == ({"none", "emb"}, set())
    assert (other.named, other.unnamed) == ({"none"}, {"emb"})
