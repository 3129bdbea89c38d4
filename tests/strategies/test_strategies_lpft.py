"""LP-FT: the head first, then everything."""

from __future__ import annotations

import pytest

from architectures import ARCHITECTURES, build
from freezebench.errors import SpecError
from freezebench.specs.freeze import FreezeSpec
from freezebench.strategies.freeze import apply

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_the_head_trains_first_behind_all_layers(architecture: str) -> None:
    """Then all that is not frozen does; the prefix of each stage is cached."""
    applied = apply(build(*ARCHITECTURES[architecture][:2]), "emb+L0+lpft(epochs=2,probe=5)")
    probing, tuning = applied.trainable.stages
    assert (probing.first_epoch, probing.rate_factor) == (1, 5.0)
    assert (tuning.first_epoch, tuning.rate_factor) == (3, 1.0)
    assert probing.names == frozenset(applied.layers.head)
    assert tuning.names == applied.trainable.names == probing.names | set(applied.layers.layers[1])
    assert (applied.cached_depth(probing.names), applied.cached_depth(tuning.names)) == (2, 1)


def test_it_trains_what_another_strategy_leaves() -> None:
    """Under BitFit the second stage trains biases."""
    applied = apply(build(*ARCHITECTURES["bert"][:2]), "bitfit+lpft")
    head, everything = (stage.names for stage in applied.trainable.stages)
    assert head < everything == applied.trainable.names
    assert all("bias" in name for name in everything - head)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lpft(epochs=0)", "the head trains alone for 0 epochs. Give epochs=1 or more."),
        ("lpft(probe=0)", "0 times the later one. Give a number above 0 up to 1000."),
        ("lpft(probe=1001)", "1001 times the later one"),
        ("lpft(epochs=1.5)", "cannot read epochs='1.5' as a whole number"),
        ("lpft+unfreeze", "cannot be combined: both say when parameters train"),
        ("head+lpft", "lpft trains the head"),
    ],
)
def test_wrong_arguments_are_refused(text: str, message: str) -> None:
    """One sentence each."""
    with pytest.raises(SpecError) as caught:
        FreezeSpec.parse(text)
    assert message in str(caught.value)


def test_it_is_refused_where_nothing_follows_the_head() -> None:
    """All epochs are the head's, or all layers are frozen."""
    (strategy,) = FreezeSpec.parse("lpft(epochs=2)").strategies
    strategy.check_epochs(3, 6)
    with pytest.raises(SpecError, match=r"first 2 of 2 epochs.* Use --freeze-epochs=3 or more"):
        strategy.check_epochs(2, 6)
    with pytest.raises(SpecError, match="all of tiny are frozen"):
        FreezeSpec.parse("emb+L0-1+lpft").check(2, "tiny")
