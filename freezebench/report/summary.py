"""The summary of one experiment: its answer, the figures of every configuration, and the sentences under them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from freezebench.meters.metrics import COST_METRICS
from freezebench.records.headline import headline_metrics
from freezebench.records.run_record import data_of
from freezebench.report.answer import HOW_TO_SAVE, Answer, answer
from freezebench.report.breakdown import breakdown_table, breakdowns, gap_sentences, grid_sentence
from freezebench.report.contention import contention_sentence, host_sentence, untimed_sentences
from freezebench.report.data_text import WARNINGS, classes_text, size_of_run
from freezebench.report.device_models import device_models_sentence
from freezebench.report.head_text import head_sentence
from freezebench.report.memory_split import memory_table, memory_title
from freezebench.report.metric_text import definition_sentence, direction_sentence, judged_metric
from freezebench.report.more_evidence import undecided_sentences
from freezebench.report.plan import engines_text, training_text
from freezebench.report.rows import Row, rows_of
from freezebench.report.search_text import search_sentence
from freezebench.report.speed_text import other_session_sentence
from freezebench.report.strategy_text import rate_sentences
from freezebench.report.subsets import SubsetTable, subset_sentences, subset_tables
from freezebench.report.tracebacks import Traceback, tracebacks
from freezebench.report.tuning_text import trial_sentences, tuning_sentences
from freezebench.report.verdict_text import (
    class_loss_sentences,
    decided_sentence,
    invalid_sentences,
    not_run_sentences,
    prefix_sentence,
    unasserted_sentence,
)
from freezebench.scoring.metrics import ACCURACY
from freezebench.specs.freeze import FreezeSpec
from freezebench.verdicts.judge import CLASSES
from freezebench.verdicts.notebook_claims import conclusions
from freezebench.verdicts.vocabulary import standing_term

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezebench.config.settings import Settings
    from freezebench.records.data_facts import DataFacts
    from freezebench.report.saved_model import SavingOutcome
    from freezebench.verdicts.judge import ConfigurationResult

# What the terminal and Markdown call the accuracy of always predicting the most frequent class of the test split.
MAJORITY_CLASS = "majority class"
# How sentences on the data begin that change nothing of the answer.
DATA_NOTE = "Data: "
# How notes on the data begin that concern every accuracy or interval, so that they are always shown.
_ALWAYS_SHOWN = (
    *WARNINGS,
    "Bad rows: ",
    "Columns without a name: ",
    "Contradictory labels: ",
    "Files that are not used: ",
    "Repeats: ",
)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The results of one experiment and the sentences that explain them.

    Attributes:
        title: What was trained on what, where.
        results: The configurations, least frozen first.
        rows: Their figures, in the same order.
        margin_pp: Decision margin in percentage points.
        lines: The sentences under the table.
        notes: Further sentences, which do not change the answer: on the page, in the files, and with ``-v``.
        saved: What became of the recommended model, where models are saved.
        is_saving: Whether the session saves the recommended model, so that the answer does not say how to.
    """

    title: str
    results: tuple[ConfigurationResult, ...]
    rows: tuple[Row, ...]
    margin_pp: float
    lines: tuple[str, ...]
    notes: tuple[str, ...] = ()
    saved: SavingOutcome | None = None
    is_saving: bool = False

    @cached_property
    def answer(self) -> Answer:
        """The answer in plain words."""
        found = answer(self.results, self.rows, self.margin_pp)
        steps = tuple(step.replace(HOW_TO_SAVE, ".") for step in found.next_steps)
        return replace(found, next_steps=steps) if self.is_saving else found

    @property
    def answer_lines(self) -> tuple[str, ...]:
        """The sentences of the answer, its headline first."""
        return (self.answer.headline, *self.answer.details, *self.answer.next_steps)

    @cached_property
    def gaps(self) -> tuple[str, ...]:
        """Those of the notes that are about gaps between measured and counted speed-ups, the largest first."""
        return gap_sentences(breakdowns(self.results))

    @property
    def breakdown(self) -> tuple[tuple[str, ...], list[list[str]]]:
        """Headers and cells of the table of how time is spent; empty where that was not measured."""
        return breakdown_table(breakdowns(self.results))

    @property
    def memory(self) -> tuple[tuple[str, ...], list[list[str]]]:
        """Headers and cells of the table of what memory is used for; empty where that was not measured."""
        return memory_table(self.results)

    @property
    def memory_title(self) -> str:
        """The title of that table, which says why weights that train may be smaller than frozen ones."""
        return memory_title(self.results)

    @cached_property
    def subsets(self) -> list[SubsetTable]:
        """The tables of classes, slices and further test sets: on the page, in ``report.md``, and with ``-v``."""
        return subset_tables(self.results)

    @cached_property
    def tracebacks(self) -> list[Traceback]:
        """The ends of the logs of invalid runs: on the page, in ``report.md``, and with ``-v``."""
        return tracebacks(self.results)

    @property
    def majority_accuracy(self) -> float | None:
        """Accuracy of always predicting the most frequent class of the test split, 0 to 1; ``None`` if unknown."""
        data = _facts(self.results)
        return data.majority_share if data is not None and data.task == "sequence-classification" else None


def summarize(results: Sequence[ConfigurationResult], settings: Settings) -> Summary:
    """Return the summary of one experiment.

    Args:
        results: At least one configuration's result.
        settings: The settings of the experiment.
    """
    ordered = sorted(results, key=lambda result: FreezeSpec.parse(result.freeze).frozen_order)
    rows = rows_of(ordered)
    return Summary(
        title=_title(ordered, settings),
        results=tuple(ordered),
        rows=tuple(rows),
        margin_pp=settings.margin_pp,
        lines=tuple(_lines(ordered, rows, settings)),
        notes=tuple(_notes(ordered, rows)),
    )


def _title(results: Sequence[ConfigurationResult], settings: Settings) -> str:
    """Return model, data, device, protocol and number of seeds in one line."""
    valid = [record for result in results for record in result.records if record.is_valid]
    record = next(iter(valid), None)
    parts = [f"{settings.model} on {settings.data.source}"]
    if record is not None and record.data is not None:
        parts.append(f"{record.data.num_train:,} training and {size_of_run(record)}")
        models = " and ".join(dict.fromkeys(record.device_name for record in valid))
        parts.append(f"{models} ({record.device}, {record.precision})")
    protocol = settings.protocol
    parts.append(training_text(protocol))
    engines = engines_text(settings, [result.freeze for result in results])
    parts.append(f"engine {engines}, frozen part in {protocol.frozen_part_runs_in} mode")
    run = [result for result in results if result.was_run]
    whole = [result for result in run if not result.broken]
    counts = sorted({len(result.records) for result in whole or run})
    if not counts:
        is_begun = any(result.not_reached for result in results)
        return "; ".join([*parts, "no configuration has all its runs" if is_begun else "nothing was run"])
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    invalid = "" if whole else ", invalid" if seeds == "1" else ", all invalid"
    parts.append(f"{seeds} seed" + ("" if seeds == "1" else "s") + invalid)
    return "; ".join(parts)


def _lines(results: Sequence[ConfigurationResult], rows: Sequence[Row], settings: Settings) -> list[str]:
    """Return the sentences under the table: what was decided, missed limits, invalid and contended runs, warnings."""
    warnings = _distinct(warning.rstrip(".") for result in results for warning in result.warnings)
    return [
        *filter(None, [decided_sentence(results, settings), direction_sentence(judged_metric(results))]),
        *filter(None, [unasserted_sentence(results)]),
        *undecided_sentences(results),
        *not_run_sentences(results),
        *filter(None, [search_sentence(settings, judged_metric(results))]),
        *(
            tuning_sentences(results)
            or rate_sentences(
                (FreezeSpec.parse(result.freeze) for result in results if not settings.tune_lr),
                dict(settings.learning_rates.by_spec),
            )
        ),
        *filter(None, [head_sentence(results, is_new=True)]),
        *_limits(results, are_met=False),
        *invalid_sentences(results),
        *class_loss_sentences(results),
        *subset_sentences(results),
        *untimed_sentences(rows),
        *filter(None, [contention_sentence(rows), device_models_sentence(rows), other_session_sentence(rows)]),
        *(note for note in _data_notes(results) if note.startswith(_ALWAYS_SHOWN)),
        *(f"Warning: {warning}." for warning in warnings),
        *_claims(results, settings),
    ]


def _claims(results: Sequence[ConfigurationResult], settings: Settings) -> list[str]:
    """Return what the results say about the notebook's claims, which are about accuracy, where they are judged."""
    if not settings.claims or judged_metric(results) is not ACCURACY:
        return []
    return [conclusion.sentence for conclusion in conclusions(results, settings.margin_pp)]


def _notes(results: Sequence[ConfigurationResult], rows: Sequence[Row]) -> list[str]:
    """Return the sentences that do not change the answer: times, training length, data, what was not measured."""
    times = [prefix_sentence(results), grid_sentence(results), *gap_sentences(breakdowns(results))]
    times += [host_sentence(rows), head_sentence(results, is_new=False), _definition(results)]
    metric, undertrained = judged_metric(results), [result.freeze for result in results if result.undertrained]
    notes = [*_limits(results, are_met=True), *filter(None, times)]
    notes += [f"{DATA_NOTE}{note}" for note in _data_notes(results) if not note.startswith(_ALWAYS_SHOWN)]
    notes += _classes(results)
    if undertrained:
        notes.append(
            f"Undertrained: the best epoch was the last one for {', '.join(undertrained)}; "
            f"more epochs might {'raise' if metric.higher_is_better else 'lower'} their {metric.label}."
        )
    return notes + trial_sentences(results) + _footnotes(results)


def _classes(results: Sequence[ConfigurationResult]) -> list[str]:
    """Return the sentence on the classes and their sizes; none in records of versions without statistics of splits."""
    data = _facts(results)
    if data is None or data.splits is None or data.task == "regression":
        return []
    return [f"{DATA_NOTE}{classes_text(data)} in all splits."]


def _definition(results: Sequence[ConfigurationResult]) -> str | None:
    """Return the sentence that defines the metric; ``None`` for accuracy, and without a valid run."""
    data = _facts(results)
    return None if data is None else definition_sentence(judged_metric(results), data.num_distinct_test)


def _facts(results: Iterable[ConfigurationResult]) -> DataFacts | None:
    """Return the facts of the data of one experiment; ``None`` if no run has read them."""
    return data_of(record for result in results for record in result.records)


def _data_notes(results: Sequence[ConfigurationResult]) -> list[str]:
    """Return the distinct notes on the data of valid runs."""
    data = [record.data for result in results for record in result.records if record.is_valid and record.data]
    further = (note for facts in data for item in facts.test_sets for note in item.notes)
    return _distinct([*(note for facts in data for note in facts.notes), *further])


def _limits(results: Sequence[ConfigurationResult], *, are_met: bool) -> list[str]:
    """Return one sentence for each limit besides that on the drop that is met, or for each one that is not."""
    return [
        f"Limit {standing_term(part.standing, is_cost=part.is_cost).word}: {result.freeze}: {part.sentence}."
        for result in results
        for part in result.parts
        # Lost classes have a sentence of their own, one for all configurations.
        if (part.standing == "ok") is are_met and part.quantity != CLASSES
    ]


def _footnotes(results: Sequence[ConfigurationResult]) -> list[str]:
    """Return one line per distinct reason why a headline figure was not, or only partly, measured."""
    titles: dict[str, list[str]] = {}
    for result in results:
        for record in result.records:
            for name in headline_metrics(result.records):
                reading = record.readings.get(name)
                # Contended runs have a sentence of their own.
                if reading is not None and reading.reason and reading.status != "contended":
                    state = "not measured" if reading.value is None else "partly measured"
                    titles.setdefault(f"{state}: {reading.reason}", []).append(COST_METRICS[name].label)
    return [f"{', '.join(_distinct(names))} {reason.rstrip('.')}." for reason, names in titles.items()]


def _distinct(items: Iterable[str]) -> list[str]:
    """Return the distinct items in their order."""
    return list(dict.fromkeys(items))
