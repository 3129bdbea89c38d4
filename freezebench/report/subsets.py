"""Drops of single classes, of slices of the test set, and on further test sets: sentences and tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.records.run_record import data_of
from freezebench.report.metric_text import judged_metric, signed_drop, unit_word, value_text
from freezebench.scoring.metrics import ACCURACY
from freezebench.units import NOT_MEASURED, counted, listed
from freezebench.verdicts.vocabulary import VERDICTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from freezebench.scoring.metric import Metric
    from freezebench.verdicts.judge import ConfigurationResult
    from freezebench.verdicts.subsets import SubsetKind, SubsetVerdict

_MOST_NAMED = 8
_SHARED_LEVEL = (
    "The intervals of one configuration share the error rate (Holm's method), so each is wider than that of a single "
    "drop."
)
_CAPTIONS: dict[SubsetKind, str] = {
    "class": f"Recall of every {{noun}}, and by how many points freezing lowers it. {_SHARED_LEVEL}",
    "slice": f"Drops on the parts of the test set that have one value of a column. {_SHARED_LEVEL}",
    "test set": f"Drops on the further test sets. {_SHARED_LEVEL} They hold for new texts of the same kind only.",
}
_CLASS_TITLES = {"class": "Classes", "label": "Labels"}
_TITLES: dict[SubsetKind, str] = {"class": "Classes", "slice": "Slices", "test set": "Further test sets"}
# Those that a user asked for by name.
_REQUESTED: tuple[SubsetKind, ...] = ("slice", "test set")
WHY_TEST_SETS = (
    "Fine-tuning all layers can distort what the pretrained model knows of other kinds of texts, and frozen layers may "
    "keep it (Kumar et al. 2022). A further test set shows whether they do, for texts like its own. It does not show "
    "robustness in general."
)


@dataclass(frozen=True, kw_only=True)
class SubsetTable:
    """The drops of all configurations on subsets of one kind.

    Attributes:
        kind: What the subsets are.
        title: Heading of the table.
        caption: What it shows, in sentences.
        headers: Headings of its columns.
        cells: Rows of texts, one for every subset and configuration.
    """

    kind: SubsetKind
    title: str
    caption: str
    headers: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]


def subset_tables(results: Sequence[ConfigurationResult]) -> list[SubsetTable]:
    """Return the tables of classes, slices and test sets; those of which there are none are left out."""
    return [
        SubsetTable(
            kind=kind,
            title=_title(kind, results),
            caption=_CAPTIONS[kind].format(noun=_noun(results)),
            headers=_headers(kind, results),
            cells=tuple(cells),
        )
        for kind in _TITLES
        if (cells := list(_cells(kind, results)))
    ]


def subset_sentences(results: Sequence[ConfigurationResult]) -> list[str]:
    """Return the drops that change how the answer is read, in sentences.

    Those are of the classes that lose more than the margin in configurations that do not. Slices and test sets were
    requested by name, so that each has its sentence.
    """
    return [
        *(sentence for result in results if (sentence := _classes_sentence(result)) is not None),
        *_sentences("slice", results),
        *_sentences("test set", results),
    ]


def lost_elsewhere(result: ConfigurationResult) -> str | None:
    """Return the slices and further test sets on which a configuration is shown to lose more than the margin.

    One that is recommended for the test set as a whole may do so. ``None``: there are none.
    """
    metric = judged_metric([result])
    lost = [
        f"{kind} {subset.name} (drop {_drop(subset, metric)})"
        for kind in _REQUESTED
        for subset in _subsets_of(result, kind)
        if _is_past_margin(subset)
    ]
    return f"It loses more than the margin on {listed(lost, _MOST_NAMED)}." if lost else None


def _noun(results: Iterable[ConfigurationResult]) -> str:
    """Return what a sentence has: a class, or labels of several that it may have."""
    data = data_of(record for result in results for record in result.records)
    return "label" if data is not None and data.task == "multi-label" else "class"


def _subsets_of(result: ConfigurationResult, kind: SubsetKind) -> tuple[SubsetVerdict, ...]:
    """Return the verdicts on subsets of a kind; of the baseline, which is compared with nothing, there are none."""
    if result.is_baseline:
        return ()
    return {"class": result.classes, "slice": result.slices, "test set": result.test_sets}[kind]


def _classes_sentence(result: ConfigurationResult) -> str | None:
    """Return the classes of which a configuration is shown to lose more than the margin; ``None`` if there are none.

    Where the configuration as a whole is shown to, the tables have its classes.
    """
    if result.verdict is None or result.verdict.outcome == "inferior":
        return None
    lost = [
        f"{subset.name} by {_drop(subset, ACCURACY)} ({_values(subset)}, {counted(subset.num_examples, 'example')})"
        for subset in _subsets_of(result, "class")
        if _is_past_margin(subset)
    ]
    if not lost:
        return None
    begin = f"{_CLASS_TITLES[_noun([result])]}: {result.freeze}"
    return f"{begin}: recall drops by more than the margin: {listed(lost, _MOST_NAMED)}."


def _sentences(kind: SubsetKind, results: Sequence[ConfigurationResult]) -> Iterator[str]:
    """Yield one sentence for every slice or test set, with all configurations.

    Of many, those have one on which a configuration is shown to lose more than the margin: tables have them all.
    """
    metric, by_name = judged_metric(results), _by_name(kind, results)
    lost = [name for name, subsets in by_name.items() if any(map(_is_past_margin, subsets.values()))]
    shown = list(by_name) if len(by_name) <= _MOST_NAMED else lost[:_MOST_NAMED]
    for name in shown:
        yield _sentence(kind, by_name[name], metric)
    if len(shown) < len(by_name):
        num = len(by_name) - len(shown)
        which = f", {len(lost) - len(shown)} of them inferior" if len(lost) > len(shown) else ""
        yield f"{_TITLES[kind]}: {num} more{which} (use -v, or the page of --freeze-report=DIR, to see them)."


def _by_name(kind: SubsetKind, results: Sequence[ConfigurationResult]) -> dict[str, dict[str, SubsetVerdict]]:
    """Return the verdicts on every subset of a kind, by configuration."""
    by_name: dict[str, dict[str, SubsetVerdict]] = {}
    for result in results:
        for subset in _subsets_of(result, kind):
            by_name.setdefault(subset.name, {})[result.freeze] = subset
    return by_name


def _sentence(kind: SubsetKind, subsets: Mapping[str, SubsetVerdict], metric: Metric) -> str:
    """Return the drops of all configurations on one slice or test set."""
    first = next(iter(subsets.values()))
    values = "" if first.baseline is None else f", {metric.label} {value_text(first.baseline, metric)} unfrozen"
    alike: dict[str, list[str]] = {}
    for freeze, subset in subsets.items():
        alike.setdefault(_outcome(subset, metric), []).append(freeze)
    drops = "; ".join(f"{listed(names, _MOST_NAMED)} {text}" for text, names in alike.items())
    size = counted(first.num_examples, "example")
    return f"{kind.capitalize()} {first.name} ({size}{values}), drops in {unit_word(metric)}: {drops}."


def _is_past_margin(subset: SubsetVerdict) -> bool:
    return subset.verdict is not None and subset.verdict.outcome == "inferior"


def _outcome(subset: SubsetVerdict, metric: Metric) -> str:
    """Return the drop with its interval and verdict, or why there is none."""
    verdict = subset.verdict
    if verdict is None:
        return f"{VERDICTS['inconclusive'].word} ({subset.reason})"
    why = f" ({verdict.reason})" if verdict.too_few is not None else ""
    return f"{_drop(subset, metric)} {VERDICTS[verdict.outcome].word}{why}"


def _drop(subset: SubsetVerdict, metric: Metric) -> str:
    """Return the drop with its interval; of too few examples without one, since it would not hold."""
    verdict = subset.verdict
    interval = None if verdict is None else verdict.interval
    if interval is None:
        return NOT_MEASURED if verdict is None or verdict.drop_pp is None else signed_drop(verdict.drop_pp, metric)
    drop, lower, upper = (
        signed_drop(value, metric) for value in (interval.drop_pp, interval.lower_pp, interval.upper_pp)
    )
    return f"{drop} [{lower}, {upper}]"


def _values(subset: SubsetVerdict) -> str:
    """Return the recall of a class without and with freezing."""
    return f"{value_text(subset.baseline, ACCURACY)} → {value_text(subset.candidate, ACCURACY)}"


def _title(kind: SubsetKind, results: Sequence[ConfigurationResult]) -> str:
    """Return the heading of a table, with the column that divides the test set into slices."""
    if kind == "class":
        return _CLASS_TITLES[_noun(results)]
    if kind != "slice":
        return _TITLES[kind]
    columns = (record.spec.data.slice_column for result in results for record in result.records)
    column = next(filter(None, columns), None)
    return _TITLES[kind] if column is None else f"{_TITLES[kind]} by {column}"


def _headers(kind: SubsetKind, results: Sequence[ConfigurationResult]) -> tuple[str, ...]:
    """Return the headings of a table."""
    metric = judged_metric(results)
    what, unit = ("recall", "points") if kind == "class" else (metric.label, unit_word(metric))
    name = _noun(results) if kind == "class" else kind
    return (name, "frozen", "examples", f"{what}, unfrozen", f"{what}, frozen", f"drop, {unit} [interval]", "verdict")


def _cells(kind: SubsetKind, results: Sequence[ConfigurationResult]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a table, those of one subset after each other."""
    # The recall of a class is a share, as accuracy is, whatever the metric.
    metric = ACCURACY if kind == "class" else judged_metric(results)
    for name, subsets in _by_name(kind, results).items():
        for freeze, subset in subsets.items():
            yield (
                name,
                freeze,
                f"{subset.num_examples:,}",
                value_text(subset.baseline, metric),
                value_text(subset.candidate, metric),
                _drop(subset, metric),
                _verdict(subset),
            )


def _verdict(subset: SubsetVerdict) -> str:
    """Return the verdict at the margin in a word, and why it is undecided where the examples are too few."""
    verdict = subset.verdict
    if verdict is None:
        return f"{VERDICTS['inconclusive'].word}: {subset.reason}"
    word = VERDICTS[verdict.outcome].word
    return f"{word}: {verdict.reason}" if verdict.too_few is not None else word
