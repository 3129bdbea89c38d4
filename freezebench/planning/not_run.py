"""Configurations that are not run: those that train what a less frozen one trains, or nothing, or that cannot train.

A model may come with part of its parameters fixed: its factory freezes the encoder, or adapters were merged into it.
Freezing a part that is fixed anyway changes nothing, so that a verdict on it would say nothing about freezing.

    model with embeddings and layer 0 fixed:   none ═ emb ═ emb+L0  ─►  emb+L0-1  ─►  …
                                               └─ one set ─────┘        └─ another one
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from freezebench.specs.freeze import FreezeSpec, FrozenOrder
from freezebench.verdicts.judge import ConfigurationResult

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from freezebench.config.settings import Settings
    from freezebench.records.trainable_set import TrainableSet
    from freezebench.specs.run import RunSpec


@dataclass(kw_only=True)
class PreflightGrid:
    """The configurations of one experiment that are tried on its model.

    Attributes:
        named: Canonical ids of those that somebody named, and of the baseline: each has to have something to train.
        unnamed: Those that are part of ``all`` alone.
    """

    named: set[str]
    unnamed: set[str]

    @property
    def all(self) -> list[str]:
        """All of them, least frozen first."""
        return sorted(self.named | self.unnamed, key=_frozen_order)


def preflight_grids(
    planned: Iterable[tuple[Settings, str]], left_out: Callable[[Settings], Mapping[str, str]] = lambda _: {}
) -> dict[RunSpec, PreflightGrid]:
    """Return the configurations to try on the model of every experiment, by a spec that represents the experiment.

    Args:
        planned: Settings and configuration of every test; the baseline of each runs as well.
        left_out: Returns why some configurations of a test cannot train whatever the model's weights are.
    """
    grids: dict[RunSpec, PreflightGrid] = {}
    for settings, freeze in planned:
        grid = grids.setdefault(settings.experiment, PreflightGrid(named={"none"}, unnamed=set()))
        if freeze not in left_out(settings):
            (grid.named if settings.names(freeze) else grid.unnamed).add(freeze)
        # One test that names a configuration is enough.
        grid.unnamed -= grid.named
    return grids


def not_run(
    grid: Collection[str],
    trainable: Mapping[str, TrainableSet],
    model: str,
    left_out: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, ConfigurationResult]:
    """Return the results of those configurations of a table that are not run, by canonical id.

    Each of those that train the same is the same as the least frozen of them, which runs. A learning rate of its own
    does not make a configuration another one: only what trains counts.

    Args:
        grid: Canonical ids of the configurations that are compared with each other; the baseline is one of them.
        trainable: What each configuration trains, as far as that is known; of others nothing is left out.
        model: What messages call the model.
        left_out: Why some of them cannot train, as far as that is known without the model.
    """
    least_frozen: dict[TrainableSet, str] = {}
    results = {}
    for freeze in sorted({"none", *grid}, key=_frozen_order):
        if freeze in left_out:
            results[freeze] = ConfigurationResult.not_run(freeze, left_out=left_out[freeze])
            continue
        trains = trainable.get(freeze)
        if trains is None:
            continue
        if not trains.num_params:
            reason = trains.refusal or f"nothing of {model} would be left to train"
            results[freeze] = ConfigurationResult.not_run(freeze, left_out=reason)
        elif trains in least_frozen:
            results[freeze] = ConfigurationResult.not_run(freeze, same_as=least_frozen[trains])
        else:
            least_frozen[trains] = freeze
    return results


def _frozen_order(freeze: str) -> FrozenOrder:
    return FreezeSpec.parse(freeze).frozen_order
