"""Gradual unfreezing."""

from __future__ import annotations

import itertools

import pytest

from architectures import ARCHITECTURES, build
from freezebench.errors import SpecError
from freezebench.specs.freeze import FreezeSpec
from freezebench.strategies.freeze import Applied, apply

pytestmark = pytest.mark.usefixtures("one_thread")


def _applied(spec: str, num_layers: int = 5) -> Applied:
    return apply(build(*ARCHITECTURES["bert"][:2], num_layers=num_layers), spec)


@pytest.mark.parametrize(
    ("spec", "first_epochs", "depths"),
    [
        ("unfreeze", [1, 2, 3, 4, 5, 6], [5, 4, 3, 2, 1, None]),
        ("unfreeze(layers=2)", [1, 2, 3, 4], [5, 3, 1, None]),
        ("unfreeze(epochs=3,layers=5)", [1, 4], [5, None]),
        ("emb+L0-1+unfreeze(layers=2)", [1, 2, 3], [5, 3, 2]),
        ("emb+L1+L3+unfreeze", [1, 2, 3, 4], [5, 4, 2, 0]),
        ("L0-4+unfreeze", [1, 2], [5, None]),
        ("bitfit+unfreeze(layers=3)", [1, 2, 3], [5, 2, None]),
    ],
)
def test_layers_begin_to_train_from_the_top(spec: str, first_epochs: list[int], depths: list[int | None]) -> None:
    """Each stage adds to the one before and caches less; the last one trains all that is not frozen."""
    applied = _applied(spec)
    stages = applied.trainable.stages
    assert [stage.first_epoch for stage in stages] == first_epochs
    assert [applied.cached_depth(stage.names) for stage in stages] == depths
    assert stages[0].names == frozenset(applied.layers.head)
    assert all(before.names < after.names for before, after in itertools.pairwise(stages))
    assert stages[-1].names == applied.trainable.names


@pytest.mark.parametrize(
    ("text", "num_layers", "needed"),
    [("unfreeze", 6, 7), ("unfreeze(epochs=2)", 6, 13), ("unfreeze(layers=4)", 6, 3), ("unfreeze", 0, 2)],
)
def test_a_training_that_is_too_short_is_refused(text: str, num_layers: int, needed: int) -> None:
    """The message says how long it has to be; so long it is accepted."""
    (strategy,) = FreezeSpec.parse(text).strategies
    strategy.check_epochs(needed, num_layers)
    with pytest.raises(SpecError, match=f"needs {needed} epochs to unfreeze .* Use --freeze-epochs={needed}, or"):
        strategy.check_epochs(needed - 1, num_layers)


def test_the_epochs_needed_are_those_of_the_stages() -> None:
    """The last stage begins with the last epoch of the shortest training."""
    for spec, num_layers in {"unfreeze(epochs=2,layers=2)": 5, "emb+L0-1+unfreeze": 3}.items():
        stages = _applied(spec).trainable.stages
        strategy = FreezeSpec.parse(spec).strategies[0]
        strategy.check_epochs(stages[-1].first_epoch, num_layers)
        with pytest.raises(SpecError, match=f"Use --freeze-epochs={stages[-1].first_epoch}, or"):
            strategy.check_epochs(stages[-1].first_epoch - 1, num_layers)


@pytest.mark.parametrize("text", ["unfreeze(epochs=0)", "unfreeze(layers=0)", "unfreeze(layers=-1)"])
def test_wrong_arguments_are_refused(text: str) -> None:
    """Each stage has an epoch and a layer."""
    with pytest.raises(SpecError, match=r"Give 1 or more for both|cannot read"):
        FreezeSpec.parse(text)
