"""Settings: options resolved once, from flag, marker, ini and preset, into one value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from freezebench.config.options import BY_NAME, OPTIONS
from freezebench.errors import SettingsError
from freezebench.specs.grid import PerSpec
from freezebench.specs.limits import DEFAULT_MARGIN_PP, CostLimits
from freezebench.specs.looks import Looks
from freezebench.specs.presets import Preset, preset
from freezebench.specs.run import DataSpec, Protocol, RunSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from freezebench.specs.freeze import FreezeSpec


@dataclass(frozen=True, kw_only=True)
class Source:
    """One place that options come from.

    Attributes:
        place: What error messages put before the value; ``{flag}``, ``{ini}`` and ``{name}`` stand for the option.
        values: Raw values by option name.
    """

    place: str
    values: Mapping[str, Any]

    def name_of(self, option: str) -> str:
        """Return what error messages call an option of this source."""
        return self.place.format(flag=BY_NAME[option].flag, ini=BY_NAME[option].ini, name=option)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that was asked for one freeze test.

    Attributes:
        preset: Name of the preset.
        preset_reason: Why this preset: who named it, or why it is the default here.
        model: Model source.
        data: Data set.
        protocol: How to train, but for the learning rate of each configuration.
        learning_rates: AdamW's rate per configuration.
        grid: Grid text.
        looks: After how many seeds each configuration is judged.
        seed: The first seed.
        device: Device as it was asked for.
        margin_pp: Decision margin in percentage points.
        max_drop: Asserted limits in percentage points.
        limits_from: Where the asserted limits come from; ``None`` if nothing is asserted.
        costs: Limits on time, energy and memory.
        pool_seeds: Whether all configurations share one variance between seeds.
        inconclusive: What becomes of undecided tests, as it was asked for; ``policy`` tells it per configuration.
        cache_bytes: How much memory cached prefixes may take; ``None``: the usual limit.
        prefix_cache: Folder in which cached prefixes outlive the session, if one is asked for.
        prefix_cache_bytes: How large it may become; ``None``: the usual limit.
        plan: Whether the plan is shown and nothing runs.
        report: Folder of the report, if one is asked for.
        store: Folder of finished runs, if one is named.
        resume: Whether finished runs are reused.
        isolate: Where runs train; ``None``: the usual way.
        timeout_s: How long one run may take, in seconds; ``None``: as long as usual.
        num_layers: Depth of the model, where a marker says it.
        named_specs: (Option, configuration) pairs that stand beside the grid: these have to exist, too.
    """

    preset: str
    preset_reason: str
    model: str
    data: DataSpec
    protocol: Protocol
    learning_rates: PerSpec
    grid: str = "all"
    looks: Looks = Looks(counts=(3,))  # noqa: RUF009 - frozen
    seed: int = 42
    device: str = "auto"
    margin_pp: float = DEFAULT_MARGIN_PP
    max_drop: PerSpec = PerSpec()  # noqa: RUF009 - frozen
    limits_from: str | None = None
    costs: CostLimits = CostLimits()  # noqa: RUF009 - frozen
    pool_seeds: bool = False
    inconclusive: str = "skip"
    cache_bytes: int | None = None
    prefix_cache: str | None = None
    prefix_cache_bytes: int | None = None
    plan: bool = False
    report: str | None = None
    store: str | None = None
    resume: bool = True
    isolate: str | None = None
    timeout_s: float | None = None
    num_layers: int | None = None
    named_specs: tuple[tuple[str, str], ...] = ()

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that may run, in the order in which they do."""
        return tuple(range(self.seed, self.seed + self.looks.max_seeds))

    def policy(self, freeze: FreezeSpec | str) -> str:
        """Return what becomes of a configuration's test that is undecided: ``skip``, ``pass`` or ``fail``."""
        entries = [entry.rpartition(":") for entry in self.inconclusive.split(",")]
        words = {spec: word for spec, _, word in entries}
        return words.get(str(freeze), words.get("", "skip"))

    def run_spec(self, freeze: FreezeSpec | str, seed: int) -> RunSpec:
        """Return the run of one configuration and seed."""
        rate = self.learning_rates.get(str(freeze))
        protocol = self.protocol if rate is None else replace(self.protocol, learning_rate=rate)
        return RunSpec(
            model=self.model, data=self.data, freeze=str(freeze), seed=seed, device=self.device, protocol=protocol
        )

    @property
    def experiment(self) -> RunSpec:
        """The baseline's first run: what all configurations of this test are compared under."""
        return self.run_spec("none", self.seed)


def resolve(sources: Sequence[Source], default_preset: Callable[[], tuple[str, str]]) -> Settings:
    """Return the settings; of several sources that set an option, the first one wins.

    Args:
        sources: Flag, marker, ini, in this order.
        default_preset: Returns preset and reason where no source names one.

    Raises:
        SettingsError: If a value is bad, or an option does not exist.
    """
    given: dict[str, Any] = {}
    places: dict[str, str] = {}
    num_layers = None
    for source in sources:
        num_layers = source.values.get("num_layers", num_layers)
        for name, value in source.values.items():
            if name == "num_layers" or name in given or value is None:
                continue
            place = source.name_of(name)
            given[name] = BY_NAME[name].parse(value, place)
            places[name] = place
    if num_layers is not None and (isinstance(num_layers, bool) or not isinstance(num_layers, int) or num_layers < 1):
        raise SettingsError(f"freeze marker, num_layers={num_layers!r}: give a whole number from 1 on.")
    if "preset" in given:
        base, reason = preset(given["preset"]), f"named by {places['preset']}"
    else:
        name, reason = default_preset()
        base = preset(name)
    return _overlay(base, reason, given, places, num_layers)


def check_names(values: Mapping[str, Any], where: str) -> None:
    """Make sure that a marker sets only options that exist.

    Raises:
        SettingsError: If it sets another one.
    """
    allowed = [option.name for option in OPTIONS if option.in_marker] + ["num_layers"]
    unknown = [name for name in values if name not in allowed]
    if unknown:
        raise SettingsError(f"{where}: there is no argument {unknown[0]!r}. Choose from {', '.join(allowed)}.")


def _overlay(
    base: Preset, reason: str, given: dict[str, Any], places: dict[str, str], num_layers: int | None
) -> Settings:
    """Return the preset with the given options laid over it."""
    data = replace(base.data, **_renamed(given, source="data", label_column="label_column", max_train="max_train"))
    if "text_column" in given:
        data = replace(data, text_columns=given["text_column"])
    protocol = replace(
        base.protocol,
        **_renamed(
            given,
            num_epochs="epochs",
            batch_size="batch_size",
            engine="engine",
            precision="precision",
            max_length="max_length",
            prefix_mode="prefix_mode",
        ),
    )
    model = given.get("model", base.model)
    # Rates were chosen for the preset's own model and data; anything else gets the usual one.
    is_own = model == base.model and data.source == base.data.source
    own_rates = base.learning_rates if is_own else PerSpec(default=base.protocol.learning_rate)
    rates: PerSpec = given.get("lr", own_rates)
    if rates.default is None:
        rates = replace(rates, default=own_rates.default)
    # A limit documents what freezing costs in one experiment; it says nothing about another one.
    own_experiment = (
        model == base.model
        and data == base.data
        and replace(protocol, precision=base.protocol.precision) == base.protocol
        and rates == base.learning_rates
    )
    limits: PerSpec = given.get("max_drop", base.max_drop if own_experiment else PerSpec())
    costs = CostLimits(**{name: given[name] for name in CostLimits.names() if name in given})
    per_spec = ("max_drop", "lr", *CostLimits.names())
    return Settings(
        preset=base.name,
        preset_reason=reason,
        model=model,
        data=data,
        protocol=protocol,
        learning_rates=rates,
        grid=given.get("grid", "all"),
        looks=given.get("num_seeds", base.looks),
        seed=given.get("seed", base.seed),
        device=given.get("device", "auto"),
        margin_pp=given.get("margin", DEFAULT_MARGIN_PP),
        max_drop=limits,
        limits_from=places.get("max_drop", f"preset {base.name}") if limits.numbers else None,
        costs=costs,
        pool_seeds=given.get("pool_seeds", False),
        inconclusive=given.get("inconclusive", "skip"),
        cache_bytes=given.get("cache_memory"),
        prefix_cache=given.get("prefix_cache"),
        prefix_cache_bytes=given.get("prefix_cache_size"),
        plan=given.get("plan", False),
        report=given.get("report"),
        store=given.get("store"),
        resume=given.get("resume", True),
        isolate=given.get("isolate"),
        timeout_s=given.get("timeout"),
        num_layers=num_layers,
        named_specs=tuple(
            (places[name], spec) for name in per_spec if name in given for spec, _ in given[name].by_spec
        ),
    )


def _renamed(given: dict[str, Any], **names: str) -> dict[str, Any]:
    """Return the given options under the names of the fields that they set."""
    return {field: given[option] for field, option in names.items() if option in given}
