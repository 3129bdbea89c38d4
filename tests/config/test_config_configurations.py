"""The configurations of a test, once the depth of its model is known."""

from __future__ import annotations

import pytest

from freezebench.config.configurations import at_depth, check, configurations, needs_depth
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.errors import SettingsError, SpecError
from freezebench.specs.freeze import FreezeSpec
from made_up_strategies import LibraryLora, Lora, Lpft, TrainerOnly, registered


def _settings(**flags: object) -> Settings:
    values = {"model": "tiny", "data": "made-up", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def test_what_nobody_named_and_cannot_train_is_left_out_with_its_reason() -> None:
    """The extra is not installed, and one epoch is too few; the other configurations are as usual."""
    with registered(LibraryLora, Lpft):
        found = configurations(_settings(grid="strategies", epochs="1"), 6)
        assert dict(found.left_out) == {
            "lora": "lora needs no_such_library, which is not installed. Run: python -m pip install "
            "'freezebench[peft]'",
            "emb+L0-1+lora": "lora needs no_such_library, which is not installed. Run: python -m pip install "
            "'freezebench[peft]'",
            "lpft": "lpft trains the head first, and 1 epoch is too few. Use --freeze-epochs=2",
        }
        assert {*found.left_out} < {str(spec) for spec in found.specs}
    with registered(Lora, Lpft):
        assert not configurations(_settings(grid="strategies", epochs="2"), 6).left_out


@pytest.mark.parametrize("grid", ["strategies,lpft", "lpft", "emb+lpft"])
def test_what_somebody_named_is_refused(grid: str) -> None:
    """A word besides it takes nothing away."""
    with registered(Lora, Lpft), pytest.raises(SpecError, match="lpft trains the head first, and 1 epoch"):
        configurations(_settings(grid=grid, epochs="1"), 6)


def test_a_configuration_with_a_value_of_its_own_has_to_fit_the_model() -> None:
    """The message begins with the option."""
    with registered(LibraryLora), pytest.raises(SpecError, match="--freeze-lr: lora needs no_such_library"):
        configurations(_settings(grid="none,emb", lr="lora:1e-3"), 6)


def test_a_usual_rate_above_1_is_refused() -> None:
    """It would be another multiple than the summary states; a configuration with a rate of its own has that."""
    message = r"--freeze-lr: the usual rate of lora, 2 times 0.6, is above 1, .* --freeze-lr=0.6,lora:0.6\."
    with registered(Lora):
        with pytest.raises(SettingsError, match=message):
            configurations(_settings(grid="none,lora", lr="0.6"), 6)
        configurations(_settings(grid="none,lora", lr="0.6,lora:0.6"), 6)
        configurations(_settings(grid="none,lora", lr="0.5"), 6)
        with pytest.raises(SettingsError, match=r"2 times 0\.6, is above 1"):
            configurations(_settings(grid="none,lora", lr="1e-4,none:0.6"), 6)


def test_strategies_that_no_engine_trains_together_are_refused() -> None:
    """Each of them can be trained by some engine, whichever is the session's."""
    settings = _settings(engine="standard")
    with registered(Lora, TrainerOnly):
        check(FreezeSpec.parse("traineronly"), settings, 6)
        check(FreezeSpec.parse("lora"), settings, 6)
        with pytest.raises(SpecError, match="lora needs standard or cached, traineronly needs trainer"):
            check(FreezeSpec.parse("lora+traineronly"), settings, 6)


def test_top_layers_are_frozen_prefixes_once_the_depth_is_known() -> None:
    """In the grid and in every option with values per configuration."""
    options = {
        "grid": "all,top-2,strategies,top-2+lora",
        "max_drop": "top-2:3,2",
        "lr": "top-2:1e-3,1e-4",
        "min_speedup": "top-2:1.5",
        "max_regression": "top-0:4",
        "inconclusive": "skip,top-2+lora(r=4,alpha=8):pass",
    }
    with registered(Lora, Lpft):
        settings = _settings(**options)
        assert needs_depth(settings)
        deep = at_depth(settings, 6)
    assert not needs_depth(deep)
    with registered(Lora):
        assert deep.grid == "all,emb+L0-3,strategies,emb+L0-3+lora"
        assert deep.names("emb+L0-3+lora")
        assert deep.run_spec("emb+L0-3", 42).protocol.learning_rate == 1e-3
        assert str(deep.max_drop) == "2,emb+L0-3:3"
        assert str(deep.max_regression) == "emb+L0-5:4"
        assert deep.costs.min_speedup.get("emb+L0-3") == 1.5
        assert deep.policy("emb+L0-3+lora(alpha=8,r=4)") == "pass"
        assert deep.policy("lora") == "skip"
    assert ("--freeze-max-drop", "emb+L0-3") in deep.named_specs
    assert not needs_depth(_settings(grid="all", max_drop="emb:3"))


def test_more_top_layers_than_there_are_are_refused_with_their_option() -> None:
    """Those of the grid by themselves."""
    with pytest.raises(SpecError, match="--freeze-max-drop: cannot train the 7 top layers alone: tiny has 6"):
        at_depth(_settings(max_drop="top-7:3"), 6)
    with pytest.raises(SpecError, match=r"^cannot train the 7 top layers alone"):
        at_depth(_settings(grid="top-7"), 6)
