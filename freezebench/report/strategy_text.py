"""What configurations freeze and train, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.specs.freeze import FreezeSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


def names_heading(freezes: Iterable[str]) -> str:
    """Return the heading of the names of configurations: ``frozen``, unless a strategy trains part of one."""
    return "configuration" if any(FreezeSpec.parse(freeze).strategies for freeze in freezes) else "frozen"


def frozen_text(spec: FreezeSpec) -> str:
    """Return the frozen parts in words, as in ``the embeddings and layers 0, 1``; empty where nothing is frozen."""
    parts = ["the embeddings"] if spec.embeddings else []
    parts += [f"layer{'s' if len(spec.layers) > 1 else ''} {', '.join(map(str, spec.layers))}"] if spec.layers else []
    parts += ["the head"] if spec.head else []
    return " and ".join(parts)


def strategies_text(spec: FreezeSpec) -> str:
    """Return what its strategies train, as in ``trains biases and the head``; empty without one."""
    summaries = [strategy.summary or str(strategy) for strategy in spec.strategies]
    return f"trains {'; '.join(summaries)}" if summaries else ""


def configuration_text(spec: FreezeSpec) -> str:
    """Return what a configuration freezes and trains, and where its strategies come from."""
    if spec.is_none:
        return "trains all parameters"
    frozen = f"freezes {frozen_text(spec)}" if frozen_text(spec) else ""
    sources = "; ".join(dict.fromkeys(strategy.source for strategy in spec.strategies if strategy.source))
    text = "; ".join(filter(None, [frozen, strategies_text(spec)]))
    return f"{text} ({sources})" if sources else text


def strategy_sentences(specs: Iterable[FreezeSpec]) -> list[str]:
    """Return one sentence per strategy: what it trains, and where it comes from."""
    strategies = {strategy.name: strategy for spec in specs for strategy in spec.strategies}
    return [
        f"{name}: {strategy.summary or 'a strategy of another package'}"
        + (f" ({strategy.source})." if strategy.source else ".")
        for name, strategy in strategies.items()
    ]


def rate_sentences(specs: Iterable[FreezeSpec], own_rates: Collection[str] = ()) -> list[str]:
    """Return that rates were not tuned, where strategies are compared, and where their usual rates come from.

    Args:
        specs: The configurations.
        own_rates: Ids of those for which somebody gave a rate.
    """
    compared = [spec for spec in specs if spec.strategies]
    if not compared:
        return []
    at_usual_rate = [spec for spec in compared if str(spec) not in own_rates]
    strategies = {strategy.name: strategy for spec in at_usual_rate for strategy in spec.strategies}
    usual = [
        f"{name} {strategy.rate_factor:g} times"
        + (f" ({strategy.rate_source.rstrip('.')})" if strategy.rate_source else "")
        for name, strategy in strategies.items()
        if strategy.rate_factor != 1
    ]
    multiples = f" Usual multiples of the rate of none: {'; '.join(usual)}." if usual else ""
    untuned = "Rates were not tuned: with another learning rate, a configuration may lose less or more"
    return [f"{untuned} (--freeze-tune-lr tries several).{multiples}"]
