"""Layer-wise learning rate decay."""

from __future__ import annotations

import pytest

from architectures import ARCHITECTURES, build
from freezebench.errors import SpecError
from freezebench.specs.freeze import FreezeSpec
from freezebench.strategies.freeze import apply

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_rates_fall_from_part_to_part(architecture: str) -> None:
    """From the head over the last layer down to the embeddings; every parameter trains."""
    applied = apply(build(*ARCHITECTURES[architecture][:2], num_layers=3), "llrd(0.5)")
    factors, layers = applied.trainable.rate_factors, applied.layers
    expected = {layers.head: 1.0, layers.layers[2]: 0.5, layers.layers[1]: 0.25, layers.layers[0]: 0.125}
    for part, factor in {**expected, layers.emb: 0.0625}.items():
        assert {factors.get(name, 1.0) for name in part} == {factor}
    assert applied.trainable.names == frozenset().union(*expected, layers.emb)
    assert applied.trainable.stages == ()


def test_it_combines_with_frozen_parts_and_other_strategies() -> None:
    """Rates go by the position in the model, whatever trains, and say nothing of what does not."""
    applied = apply(build(*ARCHITECTURES["bert"][:2], num_layers=3), "emb+L0+bitfit+unfreeze+llrd")
    assert len(applied.trainable.stages) == 3
    layers = {name: number for number, names in enumerate(applied.layers.layers) for name in names}
    factors = applied.trainable.rate_factors
    assert factors.keys() < applied.trainable.names
    assert {(layers[name], round(factor, 6)) for name, factor in factors.items()} == {(2, 0.9), (1, 0.81)}
    assert all("bias" in name for name in factors)


def test_its_argument_may_stand_alone() -> None:
    """The default is left out of the id."""
    assert str(FreezeSpec.parse("llrd(0.9)")) == "llrd"
    assert str(FreezeSpec.parse("emb+llrd( decay = 0.85 )")) == "emb+llrd(decay=0.85)"
    assert str(FreezeSpec.parse("llrd(1)")) == "llrd(decay=1)"


@pytest.mark.parametrize("decay", ["0", "1.1", "-0.5", "inf", "nan"])
def test_a_decay_outside_of_its_range_is_refused(decay: str) -> None:
    """Lower layers would not have lower rates, or none."""
    with pytest.raises(SpecError, match=r"above 0 up to 1|cannot read|give a"):
        FreezeSpec.parse(f"llrd({decay})")
