"""What configurations freeze and train, in words."""

from __future__ import annotations

from freezebench.report.strategy_text import (
    configuration_text,
    frozen_text,
    names_heading,
    rate_sentences,
    strategies_text,
)
from freezebench.specs.freeze import FreezeSpec
from freezebench.strategies.bitfit import BitFit


def test_frozen_parts_are_named() -> None:
    """Strategies are no frozen parts."""
    assert frozen_text(FreezeSpec.parse("emb+L0-1+bitfit")) == "the embeddings and layers 0, 1"
    assert frozen_text(FreezeSpec.parse("L2+head")) == "layer 2 and the head"
    assert frozen_text(FreezeSpec.parse("bitfit")) == ""


def test_a_configuration_is_explained_with_its_source() -> None:
    """The page shows this next to a name that says little by itself."""
    source = f"({BitFit.source})"
    assert configuration_text(FreezeSpec()) == "trains all parameters"
    assert configuration_text(FreezeSpec.parse("emb")) == "freezes the embeddings"
    assert configuration_text(FreezeSpec.parse("bitfit")) == f"trains biases and the head {source}"
    both = configuration_text(FreezeSpec.parse("emb+bitfit"))
    assert both == f"freezes the embeddings; trains biases and the head {source}"
    assert strategies_text(FreezeSpec.parse("emb")) == ""


def test_usual_rates_are_explained_once_and_called_untuned() -> None:
    """The factor and where it comes from, whatever is frozen below; the ladder alone needs no sentence."""
    (sentence,) = rate_sentences(map(FreezeSpec.parse, ("none", "bitfit", "emb+bitfit")))
    assert sentence.startswith("Rates were not tuned: ")
    assert sentence.endswith(f" Usual multiples of the rate of none: bitfit 20 times ({BitFit.rate_source}).")
    assert rate_sentences(map(FreezeSpec.parse, ("none", "emb"))) == []
    (sentence,) = rate_sentences(map(FreezeSpec.parse, ("none", "bitfit")), {"bitfit": 1e-3})
    assert sentence.endswith(" may lose less or more (--freeze-tune-lr tries several).")  # its rate is no multiple


def test_names_are_those_of_configurations_where_strategies_are_compared() -> None:
    """What a strategy trains is not frozen."""
    assert names_heading(["none", "emb"]) == "frozen"
    assert names_heading(["none", "emb", "bitfit"]) == "configuration"
