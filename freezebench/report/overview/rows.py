"""One experiment as one row of the overview."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from freezebench.report.recommendation import recommended
from freezebench.report.rows import table_metric
from freezebench.report.verdict_text import judged_ladder
from freezebench.specs.freeze import FreezeSpec
from freezebench.verdicts.noninferiority import Outcome
from freezebench.verdicts.vocabulary import VERDICTS, Term

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from freezebench.report.experiment import Experiment
    from freezebench.report.rows import Figure, Row
    from freezebench.scoring.metric import Metric
    from freezebench.specs.json_types import Json

FREEZING = "freezing"
# Figures of the deepest safe prefix.
_OF_DEEPEST = (
    "drop_pp",
    "lower_pp",
    "upper_pp",
    "speedup",
    "speedup_lower",
    "speedup_upper",
    "memory_saving",
    "energy_saving",
    "energy_saving_uncertainty",
    "trainable_fraction",
)
# Settings in which the tests of one experiment may differ.
_OF_TESTS = {"grid", "inconclusive", "limits_from", "named_specs", "num_layers", "preset_reason", "wider_options"}

# What an experiment says about its prefixes: one is safe; the least frozen one is not; that is undecided; its runs are
# invalid; those of the baseline are; or there is no prefix to judge.
State = Literal["safe", "none_safe", "undecided", "invalid", "baseline_invalid", "nothing_compared"]
# What is known about the prefix after the deepest safe one: its verdict, that it was not tried, or that none exists.
Next = Outcome | Literal["not_tried", "no_deeper"]

_STATES: dict[Outcome, State] = {"inferior": "none_safe", "inconclusive": "undecided", "invalid": "invalid"}
# The words where no prefix is safe.
STATE_TERMS: dict[State, Term] = {
    "none_safe": Term(word="inferior", sign=VERDICTS["inferior"].sign, tone="bad"),
    "undecided": Term(word="inconclusive", sign=VERDICTS["inconclusive"].sign, tone="unsure"),
    "invalid": Term(word="invalid", sign=VERDICTS["invalid"].sign, tone="bad"),
    "baseline_invalid": Term(word="baseline invalid", sign=VERDICTS["invalid"].sign, tone="bad"),
    "nothing_compared": Term(word="nothing compared", sign=VERDICTS["not_run"].sign, tone="faint"),
}


@dataclass(frozen=True, kw_only=True)
class OverviewRow:
    """One experiment: a model, a data set, and a family of strategies.

    Attributes:
        number: Its number in the session, from 1.
        experiment: The experiment.
        detail: What tells it from another experiment on the same model and data; empty if there is none.
        family: What its configurations have in common: they freeze parts of the encoder.
        short_model: The last part of the model's path or Hub name, where that is not the end of another one's.
        short_data: The same of the data set.
    """

    number: int
    experiment: Experiment
    detail: str = ""
    family: str = FREEZING
    short_model: str
    short_data: str

    @property
    def label(self) -> str:
        """Its name, which no other row has."""
        return self._label(self.experiment.model, self.experiment.data_source)

    @property
    def short_label(self) -> str:
        """The same with short names, for a terminal."""
        return self._label(self.short_model, self.short_data)

    def _label(self, model: str, data: str) -> str:
        return f"{self.number}: {model} on {data}" + (f" ({self.detail})" if self.detail else "")

    @cached_property
    def deepest(self) -> Row | None:
        """The figures of the deepest safe prefix; ``None`` if no prefix is safe."""
        return self.experiment.deepest

    @cached_property
    def metric(self) -> Metric:
        """The metric that its drops and verdicts are about."""
        return table_metric(self.experiment.rows)

    @property
    def baseline(self) -> Row | None:
        """The figures of the unfrozen baseline; ``None`` if its runs are invalid."""
        baseline = self.experiment.baseline
        return None if baseline is None or baseline.broken else baseline

    @property
    def is_contended(self) -> bool:
        """Whether the time of its baseline is that of contended runs, since there are no others."""
        return self.baseline is not None and self.baseline.is_contended

    @cached_property
    def state(self) -> State:
        """What the experiment says about its prefixes."""
        if self.deepest is not None:
            return "safe"
        if any(result.is_baseline and result.broken for result in self.experiment.results):
            return "baseline_invalid"
        first = next(iter(judged_ladder(self.experiment.results).values()), None)
        # The first prefix decides, since a deeper one counts only after it.
        return "nothing_compared" if first is None else _STATES[first.outcome]

    @property
    def answer(self) -> Term:
        """The deepest safe prefix or, in words, why there is none."""
        if self.deepest is None:
            return STATE_TERMS[self.state]
        return Term(word=self.deepest.freeze, sign=VERDICTS["non_inferior"].sign, tone="good")

    @cached_property
    def recommended(self) -> str | None:
        """The cheapest safe configuration, where strategies compete with frozen prefixes; ``None`` if none is safe."""
        if not any(FreezeSpec.parse(row.freeze).strategies for row in self.experiment.rows):
            return None
        row = recommended(self.experiment.results, self.experiment.rows)
        return None if row is None else row.freeze

    @property
    def num_layers(self) -> int | None:
        """Depth of the model; ``None`` without a valid run."""
        return next((record.num_layers for record in self.experiment.records if record.num_layers), None)

    @property
    def num_frozen_layers(self) -> int | None:
        """Number of layers that the deepest safe prefix freezes besides the embeddings; ``None`` if none is safe."""
        return None if self.deepest is None else FreezeSpec.parse(self.deepest.freeze).num_frozen_layers

    @property
    def frozen_share(self) -> Fraction | None:
        """Their share of the depth; ``None`` if no prefix is safe or the depth is unknown."""
        frozen, depth = self.num_frozen_layers, self.num_layers
        return None if frozen is None or depth is None else Fraction(frozen, depth)

    @property
    def next_deeper(self) -> tuple[str, Next]:
        """The prefix after the deepest safe one in the grid, empty without one, and what is known about it."""
        ladder = judged_ladder(self.experiment.results)
        names = list(ladder)
        deepest = names.index(self.deepest.freeze) if self.deepest is not None else -1
        if deepest + 1 < len(names):
            name = names[deepest + 1]
            return name, ladder[name].outcome
        return "", "no_deeper" if self.frozen_share == 1 or not names else "not_tried"

    @property
    def num_seeds(self) -> int:
        """Number of seeds of the deepest safe prefix or, without one, the most of any configuration."""
        return max((row.num_seeds for row in ([self.deepest] if self.deepest else self.experiment.rows)), default=0)

    @property
    def device(self) -> str | None:
        """The device model that its costs are of; ``None`` without a valid run."""
        return next((record.device_name for record in self.experiment.cost_records if record.device_name), None)

    def figures(self) -> dict[str, Figure]:
        """Return every figure by its name in CSV and JSON."""
        deepest, baseline = self.deepest, self.baseline
        share, (next_name, next_outcome) = self.frozen_share, self.next_deeper
        return {
            "experiment": self.number,
            "model": self.experiment.model,
            "data": self.experiment.data_source,
            "detail": self.detail,
            "family": self.family,
            "margin_pp": self.experiment.margin_pp,
            "baseline_accuracy": None if baseline is None else baseline.accuracy,
            "baseline_accuracy_sd": None if baseline is None else baseline.accuracy_sd,
            "baseline_train_s": None if baseline is None else baseline.train_s,
            "state": self.state,
            "deepest_safe": None if deepest is None else deepest.freeze,
            "num_frozen_layers": self.num_frozen_layers,
            "num_layers": self.num_layers,
            "frozen_share": None if share is None else float(share),
            **{name: None if deepest is None else getattr(deepest, name) for name in _OF_DEEPEST},
            "next_deeper": next_name or None,
            "next_deeper_state": next_outcome,
            "num_seeds": self.num_seeds,
            "device": self.device,
            "recommended": self.recommended,
            "metric": self.metric.name,
            "metric_unit": self.metric.unit,
            "baseline_metric_value": None if baseline is None else baseline.metric_value,
            "baseline_metric_sd": None if baseline is None else baseline.metric_sd,
        }


def overview_rows(experiments: Sequence[Experiment]) -> list[OverviewRow]:
    """Return one row per experiment, in their order."""
    models = short_names(experiment.model for experiment in experiments)
    data = short_names(experiment.data_source for experiment in experiments)
    return [
        OverviewRow(
            number=number,
            experiment=experiment,
            detail=_detail(experiment, experiments),
            short_model=models[experiment.model],
            short_data=data[experiment.data_source],
        )
        for number, experiment in enumerate(experiments, start=1)
    ]


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Return the last part of every path or Hub name; of all names as they are if some end alike."""
    whole = list(dict.fromkeys(names))
    ends = [name.rstrip("/").rpartition("/")[2] for name in whole]
    return dict(zip(whole, ends if len(set(ends)) == len(ends) and all(ends) else whole, strict=True))


def _detail(experiment: Experiment, experiments: Sequence[Experiment]) -> str:
    """Return what tells an experiment from the others on the same model and data: its report, or settings."""
    names = (experiment.model, experiment.data_source)
    alike = [other for other in experiments if (other.model, other.data_source) == names]
    if len({other.source for other in alike}) > 1:
        return experiment.source
    own, *others = (dict(_leaves(other.settings)) for other in [experiment, *alike])
    return ", ".join(f"{key} {value}" for key, value in own.items() if any(other.get(key) != value for other in others))


def _leaves(settings: Mapping[str, Json], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield name and value of every setting that makes an experiment another one; parts of settings have dots."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            # The names of training and data settings say enough by themselves.
            yield from _leaves(value, "" if name in ("protocol", "data") else f"{prefix}{name}.")
        elif name not in _OF_TESTS:
            yield f"{prefix}{name}", str(value)
