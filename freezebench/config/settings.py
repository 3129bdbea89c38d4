"""Settings of a freeze test: options resolved from flags, marker, ini keys and preset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from freezebench.config.metric_limits import check_amounts
from freezebench.config.options import OPTIONS
from freezebench.config.preset_overlay import (
    check_columns_and_sets,
    data_spec,
    has_its_limits,
    judges_claims,
    learning_rates,
    protocol,
)
from freezebench.config.search import resolve_looks
from freezebench.config.sources import ParsedOptions, Source, parse_sources
from freezebench.errors import SettingsError
from freezebench.specs.entries import split_entries
from freezebench.specs.fields import brief
from freezebench.specs.freeze import MOST_LAYERS, FreezeSpec
from freezebench.specs.grid import ALL, SEARCH, PerSpec, split_grid
from freezebench.specs.interim_looks import InterimLooks
from freezebench.specs.limits import DEFAULT_MARGIN_PP, CostLimits
from freezebench.specs.presets import Preset, learning_rate, preset
from freezebench.specs.run import RunSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from freezebench.specs.data import DataSpec
    from freezebench.specs.run import Protocol

# The options with values per configuration, beside the limits on costs.
_PER_CONFIGURATION = ("max_drop", "max_regression", "lr", "inconclusive")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of one freeze test.

    Attributes:
        preset: Name of the preset.
        preset_reason: Which option names the preset, or why it is the default here.
        model: Model source.
        data: Data set.
        protocol: How to train, except for the learning rate of each configuration.
        learning_rates: AdamW's rate per configuration.
        tune_lr: Multiples of that rate among which one is chosen for each configuration; empty: rates are not tuned.
        grid: Grid text.
        looks: The numbers of seeds after which each configuration is judged.
        seed: The first seed.
        device: Requested device.
        metric: Name of the metric that judges, or ``module:function``; ``None``: the task's usual one.
        margin_pp: Non-inferiority margin in percentage points, or in the metric's own unit, as all limits on drops are.
        max_drop: Asserted limits.
        max_slice_drop: Asserted limit of every slice of the test set; ``None``: not asserted.
        max_test_drop: Asserted limit of every further test set; ``None``: not asserted.
        limits_from: Source of the asserted limits; ``None`` if there are none.
        max_regression: Asserted limits on the drop of the metric from a saved run; the margin where there is no number.
        costs: Limits on time, energy and memory.
        claims: Whether the notebook's three claims are judged.
        pool_seeds: Whether the variance between seeds is estimated from all configurations together.
        inconclusive: Outcome of inconclusive tests, as the option takes it; ``policy`` returns it per configuration.
        num_layers: Depth of the model, if a marker states it.
        named_specs: (Option, freeze spec) pairs of options with values per configuration; the model has to have them.
        wider_options: Those options whose configurations need not be in the grid, since a stronger source sets it.
    """

    preset: str
    preset_reason: str
    model: str
    data: DataSpec
    protocol: Protocol
    learning_rates: PerSpec
    tune_lr: tuple[float, ...] = ()
    grid: str = "all"
    looks: InterimLooks = InterimLooks(counts=(3,))  # noqa: RUF009 - frozen
    seed: int = 42
    device: str = "auto"
    metric: str | None = None
    margin_pp: float = DEFAULT_MARGIN_PP
    max_drop: PerSpec = PerSpec()  # noqa: RUF009 - frozen
    max_slice_drop: float | None = None
    max_test_drop: float | None = None
    limits_from: str | None = None
    max_regression: PerSpec = PerSpec()  # noqa: RUF009 - frozen
    costs: CostLimits = CostLimits()  # noqa: RUF009 - frozen
    claims: bool = False
    pool_seeds: bool = False
    inconclusive: str = "skip"
    num_layers: int | None = None
    named_specs: tuple[tuple[str, str], ...] = ()
    wider_options: tuple[str, ...] = ()

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of all looks, in the order of their runs."""
        return tuple(range(self.seed, self.seed + self.looks.max_seeds))

    def policy(self, freeze: FreezeSpec | str) -> str:
        """Return the outcome of a configuration's test if it is inconclusive: ``skip``, ``pass`` or ``fail``.

        Args:
            freeze: The configuration, or its id.

        Raises:
            SpecError: If a text is no freeze spec.
        """
        name = str(freeze if isinstance(freeze, FreezeSpec) else FreezeSpec.parse(freeze))
        # The entry without a freeze spec is the default.
        entries = [entry.rpartition(":") for entry in split_entries(self.inconclusive)]
        policies = {spec: policy for spec, _, policy in entries}
        return policies.get(name, policies.get("", "skip"))

    def names(self, freeze: str) -> bool:
        """Return whether the grid lists a configuration by its own id, not only as a part of ``all``.

        Args:
            freeze: Canonical id of the configuration.
        """
        return freeze in split_grid(self.grid)

    @property
    def searches(self) -> bool:
        """Whether only those prefixes train that the search for the deepest safe one needs."""
        return SEARCH in split_entries(self.grid)

    def run_spec(self, freeze: FreezeSpec | str, seed: int, rate: float | None = None) -> RunSpec:
        """Return the spec of the run of one configuration and seed, at its usual learning rate or at another one.

        Args:
            freeze: The configuration, or its id.
            seed: Seed of the run.
            rate: Learning rate at the first step; ``None``: the usual one of the configuration.
        """
        name = str(freeze)
        if (name, seed, rate) not in self._run_specs:
            usual = learning_rate(name, self.learning_rates, self.protocol)
            protocol = replace(self.protocol, learning_rate=usual if rate is None else rate)
            self._run_specs[name, seed, rate] = RunSpec(
                model=self.model, data=self.data, freeze=name, seed=seed, device=self.device, protocol=protocol
            )
        return self._run_specs[name, seed, rate]

    @cached_property
    def _run_specs(self) -> dict[tuple[str, int, float | None], RunSpec]:
        """The specs so far: plans go through them again after every run, and a spec keeps its hashes."""
        return {}

    @property
    def experiment(self) -> RunSpec:
        """The spec of the baseline's first run, which represents the experiment of all configurations."""
        return self.run_spec("none", self.seed)

    @property
    def of_table(self) -> Settings:
        """What tests of one table share: these settings without grids of single tests and their names."""
        limits_from = self.limits_from and "some test"
        # Where one test searches and another one does not, their verdicts have different error rates.
        grid = SEARCH if self.searches else ALL
        shared = replace(self, grid=grid, inconclusive="skip", num_layers=None, limits_from=limits_from)
        return replace(shared, named_specs=(), wider_options=())


def resolve(
    sources: Sequence[Source], default_preset: Callable[[], tuple[str, str]], chosen: Mapping[str, str] | None = None
) -> Settings:
    """Return the settings of a test; the first source that sets an option wins.

    Args:
        sources: Flags, marker and ini keys, in this order.
        default_preset: Returns preset and reason if no source names one.
        chosen: The test's own value of every option that lists several, by option name.

    Raises:
        SettingsError: If a value cannot be parsed, or an option has other values than the test's own.
    """
    options = parse_sources(sources, session_wide=False)
    if "preset" in options:
        name, reason = options.get("preset", ""), f"named by {options.origins['preset']}"
    else:
        name, reason = default_preset()
    chosen = chosen or {}
    single = replace(options, values={**options.values, **_single_values(options, chosen)})
    num_layers = _stated_depth(sources)
    if "model" in chosen and ":" not in chosen["model"]:
        num_layers = None  # stated for the factories among several models
    return _overlay(preset(name), reason, single, num_layers)


def listed_values(sources: Sequence[Source]) -> dict[str, tuple[str, ...]]:
    """Return the values of the options that name several models or data sets, by option name.

    Raises:
        SettingsError: If a value cannot be parsed.
    """
    options = parse_sources(sources, session_wide=False)
    none: tuple[str, ...] = ()
    lists = {option.name: options.get(option.name, none) for option in OPTIONS if option.is_list}
    return {name: texts for name, texts in lists.items() if len(texts) > 1}


def _single_values(options: ParsedOptions, chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the one value of a test, for each option that may have several.

    Raises:
        SettingsError: If an option does not have the test's own value.
    """
    single = {}
    for name in (option.name for option in OPTIONS if option.is_list and option.name in options):
        texts: tuple[str, ...] = options.get(name, ())
        single[name] = chosen.get(name, texts[0])
        if single[name] not in texts or (name not in chosen and len(texts) > 1):
            raise SettingsError(
                f"{options.origins[name]}={','.join(texts)}: the id of the test does not follow it, since it was added "
                f"after the test was collected. Set {name} with a decorator, or with "
                "pytest.param(..., marks=pytest.mark.freeze(...))."
            )
    return single


def check_names(names: Iterable[str], where: str) -> None:
    """Make sure that a marker sets only options that exist and that may differ between tests.

    Raises:
        SettingsError: If it sets another one.
    """
    allowed = [option.name for option in OPTIONS if not option.session_wide] + ["num_layers"]
    unknown = [name for name in names if name not in allowed]
    if unknown:
        raise SettingsError(f"{where}: there is no argument {unknown[0]!r}. Choose from {', '.join(allowed)}.")


def _stated_depth(sources: Sequence[Source]) -> int | None:
    """Return the ``num_layers`` that a marker gives.

    Raises:
        SettingsError: If it is not a whole number from 1 on.
    """
    source = next((source for source in sources if source.values.get("num_layers") is not None), None)
    if source is None:
        return None
    num_layers = source.values["num_layers"]
    if isinstance(num_layers, bool) or not isinstance(num_layers, int) or not 1 <= num_layers <= MOST_LAYERS:
        where = source.label.format(name="num_layers")
        raise SettingsError(f"{where}={brief(num_layers)}: give a whole number from 1 to {MOST_LAYERS}.")
    return num_layers


def _overlay(base: Preset, reason: str, options: ParsedOptions, num_layers: int | None) -> Settings:
    """Return the preset's experiment with the given options in place of its own.

    Raises:
        SettingsError: If options contradict each other.
    """
    check_amounts(options)
    data, model = data_spec(base, options), options.get("model", base.model)
    check_columns_and_sets(options, data)
    is_own = model == base.model and data.source == base.data.source
    trained = protocol(base, options, is_own=is_own)
    rates = learning_rates(base, options, is_own=model == base.model)
    # A preset's limits document what freezing costs in one experiment; they do not hold for another one.
    is_own_experiment = has_its_limits(base, options, (model, data, trained, rates))
    limits = options.get("max_drop", base.max_drop if is_own_experiment else PerSpec())
    costs = {name: options.get(name, PerSpec()) for name in CostLimits.names() if name in options}
    names = [name for name in (*_PER_CONFIGURATION, *CostLimits.names()) if name in options]
    return Settings(
        preset=base.name,
        preset_reason=reason,
        model=model,
        data=data,
        protocol=trained,
        learning_rates=rates,
        tune_lr=options.get("tune_lr", ()),
        grid=options.get("grid", Settings.grid),
        looks=resolve_looks(options, base.looks),
        seed=options.get("seed", base.seed),
        device=options.get("device", Settings.device),
        metric=options.get("metric", None),
        margin_pp=options.get("margin", Settings.margin_pp),
        max_drop=limits,
        max_slice_drop=options.get("max_slice_drop", None),
        max_test_drop=options.get("max_test_drop", None),
        limits_from=options.origins.get("max_drop", f"preset {base.name}") if limits.numbers else None,
        max_regression=options.get("max_regression", PerSpec()),
        costs=CostLimits(**costs),
        claims=judges_claims(base, options),
        pool_seeds=options.get("pool_seeds", Settings.pool_seeds),
        inconclusive=options.get("inconclusive", Settings.inconclusive),
        num_layers=num_layers,
        named_specs=tuple((options.origins[name], spec) for name in names for spec in _specs_named_by(options, name)),
        wider_options=tuple(options.origins[name] for name in names if options.is_stronger("grid", name)),
    )


def _specs_named_by(options: ParsedOptions, name: str) -> list[str]:
    """Return the configurations for which an option has values of their own."""
    if name == "inconclusive":
        specs = [entry.rpartition(":")[0] for entry in split_entries(options.get(name, ""))]
        return [spec for spec in specs if spec]
    return [spec for spec, _ in options.get(name, PerSpec()).by_spec]
