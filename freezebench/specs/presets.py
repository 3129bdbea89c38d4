"""Presets: named, complete experiments, with the documented accuracy drop of each freeze depth."""

from __future__ import annotations

from dataclasses import dataclass, replace

from freezebench.errors import SettingsError
from freezebench.specs.data import DataSpec
from freezebench.specs.fields import brief
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.grid import PerSpec
from freezebench.specs.interim_looks import InterimLooks
from freezebench.specs.names import PRESET_NAMES
from freezebench.specs.numbers import short_number
from freezebench.specs.run import Protocol, RunSpec
from freezebench.units import did_you_mean


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named experiment; an option can override each of its fields.

    Attributes:
        name: Value of ``--freeze-preset``.
        summary: One line for the header and the docs.
        model: Model source.
        data: Data set.
        protocol: How to train; the rate per configuration is in ``learning_rates``.
        learning_rates: AdamW's rate per configuration.
        looks: After how many seeds each configuration is judged.
        seed: The first seed.
        max_drop: Limit on the accuracy drop per configuration, in percentage points: documented drop plus tolerance.
    """

    name: str
    summary: str
    model: str
    data: DataSpec
    protocol: Protocol
    learning_rates: PerSpec
    looks: InterimLooks
    seed: int = 42
    max_drop: PerSpec

    def run_spec(self, freeze: str = "none", *, seed: int | None = None, device: str = "auto") -> RunSpec:
        """Return a run of this experiment as the command line plans it, with the learning rate of the configuration.

        Args:
            freeze: Id of the freeze spec, such as ``emb+L0-3``.
            seed: Seed of the run; ``None``: the preset's first one.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

        Raises:
            SpecError: If ``freeze`` is no freeze spec.
            SettingsError: If ``seed`` or ``device`` is not valid.
        """
        rate = learning_rate(freeze, self.learning_rates, self.protocol)
        return RunSpec(
            model=self.model,
            data=self.data,
            freeze=freeze,
            seed=self.seed if seed is None else seed,
            device=device,
            protocol=replace(self.protocol, learning_rate=rate),
        )


def learning_rate(freeze: str, rates: PerSpec, protocol: Protocol) -> float:
    """Return the learning rate of a configuration: its own, else the common one, times the factor of its strategies.

    A factor is a multiple of the rate that ``none`` really has, which may be one of its own.

    Args:
        freeze: Id of the configuration.
        rates: Rates of some configurations, and the common one.
        protocol: Has the common rate if ``rates`` does not.
    """
    spec, own = FreezeSpec.parse(freeze), dict(rates.by_spec)
    if str(spec) in own:
        return own[str(spec)]
    common = protocol.learning_rate if rates.default is None else rates.default
    return common if spec.rate_factor == 1 else short_number(own.get("none", common) * spec.rate_factor)


# The drops that the notebook published (0 if freezing improved the accuracy) plus 3 points of tolerance, rounded up.
_SST2_LIMITS = PerSpec.parse("emb:3,emb+L0:3,emb+L0-1:3.5,emb+L0-2:3,emb+L0-3:3,emb+L0-4:4.5,emb+L0-5:10")

PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            name="distilbert-sst2",
            summary="DistilBERT on SST-2, its own validation and test splits",
            model="distilbert-base-uncased",
            data=DataSpec(source="SetFit/sst2"),
            protocol=Protocol(num_epochs=3, engine="cached"),
            learning_rates=PerSpec(default=5e-5),
            looks=InterimLooks(counts=(3, 5, 8)),
            max_drop=_SST2_LIMITS,
        ),
        Preset(
            name="embedded",
            summary="packaged MiniLM-L6 in DistilBERT form on movie reviews with human ratings: no GPU",
            model="embedded",
            data=DataSpec(source="reviews", max_train=500),
            # Without dropout, runs of a seed differ between configurations by what is frozen alone, which makes the
            # intervals of shallow configurations about half as wide.
            protocol=Protocol(num_epochs=2, batch_size=16, dropout=False, engine="cached"),
            # Fewer trainable layers need a higher rate; one rate for all depths would put freezing at a disadvantage.
            # benchmarks/embedded_rates.py compares rates without the test split.
            learning_rates=PerSpec.parse(
                "1.3e-4,emb+L0:1.5e-4,emb+L0-1:1.5e-4,emb+L0-2:2e-4,emb+L0-3:3e-4,emb+L0-4:5e-4,emb+L0-5:5e-3"
            ),
            # Two more seeds for what three leave undecided: of sessions with three alone, a third decided only four.
            looks=InterimLooks(counts=(3, 5)),
            # The largest upper bounds of ten sessions were 1.5, 1.8, 1.9, 3.8, 5.2, 9.9 and 22.0 points (two cores of
            # an AMD EPYC, bf16, 29 November 2026); the limits allow for other seeds and other processors' rounding.
            max_drop=PerSpec.parse("emb:3,emb+L0:3,emb+L0-1:4,emb+L0-2:5,emb+L0-3:7,emb+L0-4:12,emb+L0-5:24"),
        ),
        Preset(
            name="notebook",
            summary="the notebook of July 2023, line by line: one seed, one rate, 10 epochs, half the test split",
            model="distilbert-base-uncased",
            data=DataSpec(source="SetFit/sst2", split_rule="notebook"),
            protocol=Protocol(num_epochs=10, precision="float32", evaluate_before=True),
            learning_rates=PerSpec(default=5e-5),
            looks=InterimLooks(counts=(1,)),
            max_drop=PerSpec(),
        ),
    )
}


def preset(name: str) -> Preset:
    """Return a preset by name: a complete experiment, from which the command line takes what its options leave open.

    Args:
        name: ``distilbert-sst2``, ``embedded`` or ``notebook``.

    Raises:
        SettingsError: If there is no such preset.
    """
    given: object = name
    text = given if isinstance(given, str) else brief(given)
    if text not in PRESETS:
        raise SettingsError(f"there is no preset {brief(name)}.{did_you_mean(text, PRESET_NAMES)}")
    return PRESETS[name]
