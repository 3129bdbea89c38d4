"""Plain modules train under the cached engine as under the standard one, or whole with a warning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from freezebench.runs.experiment import run
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec

PROTOCOL = Protocol(
    engine="cached",
    num_epochs=2,
    batch_size=8,
    learning_rate=1e-2,
    precision="float32",
    prefix_mode="eval",
    batch_order="shuffled",
)


@pytest.mark.parametrize("freeze", ["emb", "emb+L0", "emb+L0-2"])
@pytest.mark.parametrize("factory", ["batch_norm_head", "moving_mean_head", "batch_norm_layers", "torchs_own_encoder"])
def test_losses_equal_those_of_the_standard_engine(factory: str, freeze: str, tiny_data: Path) -> None:
    """State included: checks leave no trace in a model, and a state that depends on padding prevents caching."""
    assert torch.backends.mha.get_fastpath_enabled()
    spec = RunSpec(
        model=f"custom_models:{factory}",
        data=DataSpec(source=str(tiny_data)),
        freeze=freeze,
        device="cpu",
        protocol=PROTOCOL,
    )
    cached = run(spec)
    standard = run(replace(spec, protocol=replace(PROTOCOL, engine="standard")))
    assert torch.backends.mha.get_fastpath_enabled()
    assert cached.step_losses
    assert cached.step_losses == pytest.approx(standard.step_losses, rel=1e-4)
    assert cached.epochs[-1].validation.loss == pytest.approx(standard.epochs[-1].validation.loss, rel=2e-2)
    sees_padding = factory == "batch_norm_layers" and freeze != "emb+L0-2"
    assert ("prefix_s" in cached.readings) is not sees_padding
    why = "nothing is cached: in training, the scores change with the hidden states of padding"
    assert (why in cached.warnings) is sees_padding
