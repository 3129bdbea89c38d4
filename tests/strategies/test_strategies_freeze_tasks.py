"""Freezing classifiers of words: their layers and heads, and every strategy on them."""

from __future__ import annotations

import pytest

from architectures import ARCHITECTURES, build
from freezebench.models.layers import find_layers
from freezebench.strategies.freeze import apply

pytestmark = pytest.mark.usefixtures("one_thread")
# All others have one linear module behind the layers.
_BEHIND = {"modernbert": "model.final_norm head classifier"}


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_head_and_layers_of_a_classifier_of_words(architecture: str) -> None:
    """The stack is that of the classifier of texts, and nothing behind it is missed."""
    family, options, stack, before, _ = ARCHITECTURES[architecture]
    layers = find_layers(build(family, options, head="Token"))
    assert layers.stack == stack
    assert all(name.startswith(tuple(f"{path}." for path in before.split())) for name in layers.emb)
    behind = _BEHIND.get(architecture, "classifier").split()
    assert layers.head
    assert all(name.startswith(tuple(f"{path}." for path in behind)) for name in layers.head)


@pytest.mark.parametrize("architecture", ["distilbert", "bert", "roberta"])
@pytest.mark.parametrize("strategy", ["bitfit", "norms", "lpft", "unfreeze", "llrd", "lora(r=2)", "ia3"])
def test_the_head_trains_under_every_strategy(architecture: str, strategy: str) -> None:
    """Whatever else does."""
    if strategy.startswith(("lora", "ia3")):
        pytest.importorskip("peft", reason="the extra `peft` is not installed")
    applied = apply(build(*ARCHITECTURES[architecture][:2], head="Token"), f"emb+L0+{strategy}")
    assert applied.trainable.names >= set(applied.layers.head)
    assert applied.trainable.names - set(applied.layers.head)
    assert not applied.trainable.names & {*applied.layers.emb, *applied.layers.layers[0]}
