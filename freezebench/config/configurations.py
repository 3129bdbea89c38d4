"""The configurations of a test, once the depth of its model is known: which ones there are, and which cannot train."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from freezebench.errors import SettingsError, SpecError
from freezebench.specs.entries import split_entries
from freezebench.specs.grid import grid_at_depth, specs_of
from freezebench.specs.limits import CostLimits
from freezebench.specs.top_layers import names_top_layers, spec_at_depth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freezebench.config.settings import Settings
    from freezebench.specs.freeze import FreezeSpec


@dataclass(frozen=True, kw_only=True)
class Configurations:
    """The configurations of a test.

    Attributes:
        specs: All of them, least frozen first.
        left_out: Why some of them cannot train, by canonical id: those that a word such as ``strategies`` stands for.
    """

    specs: tuple[FreezeSpec, ...]
    left_out: Mapping[str, str]


def configurations(settings: Settings, num_layers: int) -> Configurations:
    """Return the configurations of a test's grid.

    Raises:
        SpecError: If one that somebody named, in the grid or with a value of its own, does not fit model or protocol.
        SettingsError: If one cannot be trained with all rates that are going to be tried.
    """
    for option, name in settings.named_specs:
        try:
            spec_at_depth(name, num_layers, settings.model).check(num_layers, settings.model)
        except SpecError as error:
            raise SpecError(f"{option}: {error}") from error
    specs = specs_of(settings.grid, num_layers, settings.model)
    left_out = {}
    for spec in specs:
        try:
            check(spec, settings, num_layers)
        except SpecError as error:
            if settings.names(str(spec)):
                raise
            left_out[str(spec)] = str(error).rstrip(".")
        else:
            _check_rates(spec, settings)
    return Configurations(specs=tuple(specs), left_out=left_out)


def check(spec: FreezeSpec, settings: Settings, num_layers: int) -> None:
    """Check that a configuration can train as the settings say, as far as that can be said without the model.

    Raises:
        SpecError: If it cannot: the model cannot be frozen that way, a strategy needs more epochs, or no engine trains
            all of its strategies.
    """
    spec.check(num_layers, settings.model)
    spec.check_epochs(settings.protocol.num_epochs, num_layers)
    if not spec.engines:
        needs = ", ".join(f"{strategy.name} needs {' or '.join(strategy.engines)}" for strategy in spec.strategies)
        raise SpecError(f"no engine can train {spec}: {needs}. Leave out one of its strategies.")


def _check_rates(spec: FreezeSpec, settings: Settings) -> None:
    """Check that the usual rate of a configuration, and all that are going to be tried, can be trained.

    Raises:
        SettingsError: If one is above 1.
    """
    usual = settings.experiment.protocol.learning_rate
    if str(spec) not in dict(settings.learning_rates.by_spec) and usual * spec.rate_factor > 1:
        raise SettingsError(
            f"--freeze-lr: the usual rate of {spec}, {spec.rate_factor:g} times {usual:g}, is above 1, the largest "
            f"rate that can be trained. Give a smaller rate, or a separate one for {spec}: "
            f"--freeze-lr={usual:g},{spec}:{usual:g}."
        )
    rate, largest = settings.run_spec(spec, settings.seed).protocol.learning_rate, max(settings.tune_lr, default=1)
    if rate * largest > 1:
        raise SettingsError(
            f"--freeze-tune-lr: {largest:g} times the rate of {spec}, {rate:g}, is above 1, the largest rate that can "
            "be trained. Use smaller factors, or a smaller rate (--freeze-lr)."
        )


def needs_depth(settings: Settings) -> bool:
    """Return whether configurations are named by their top layers, so that their ids follow from the depth."""
    return any(map(names_top_layers, [*split_entries(settings.grid), *(name for _, name in settings.named_specs)]))


def at_depth(settings: Settings, num_layers: int) -> Settings:
    """Return settings with the canonical ids of all configurations, for a model of some depth.

    Raises:
        SpecError: If the model has fewer layers than are named, or a configuration has two values.
    """
    model = settings.model

    def canonical(name: str) -> str:
        return str(spec_at_depth(name, num_layers, model))

    named = []
    for option, name in settings.named_specs:
        try:
            named.append((option, canonical(name)))
        except SpecError as error:
            raise SpecError(f"{option}: {error}") from error
    policies = [entry.rpartition(":") for entry in split_entries(settings.inconclusive)]
    limits = settings.costs.named(*CostLimits.names())
    costs = {name: limit.at_depth(num_layers, model) for name, limit in limits.items()}
    return replace(
        settings,
        grid=grid_at_depth(settings.grid, num_layers, model),
        learning_rates=settings.learning_rates.at_depth(num_layers, model),
        max_drop=settings.max_drop.at_depth(num_layers, model),
        max_regression=settings.max_regression.at_depth(num_layers, model),
        costs=replace(settings.costs, **costs),
        inconclusive=",".join(f"{canonical(name)}:{policy}" if colon else policy for name, colon, policy in policies),
        named_specs=tuple(named),
    )
