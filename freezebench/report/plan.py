"""The plan as text, shown before anything is trained: settings, number of runs, resolution, duration."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from tabulate import tabulate

from freezebench.planning.search import max_trials, run_bounds
from freezebench.planning.tuning import trial_seed
from freezebench.report.data_text import classes_text, size_text
from freezebench.report.durations import duration_text
from freezebench.report.label_text import too_few_sentence
from freezebench.report.metric_text import metric_of_data
from freezebench.report.more_evidence import largest_design
from freezebench.report.strategy_text import names_heading
from freezebench.scoring.metrics import ACCURACY
from freezebench.specs.entries import split_entries
from freezebench.specs.freeze import FreezeSpec
from freezebench.units import NOT_MEASURED, counted, listed
from freezebench.verdicts.power import resolvable_margin, resolving_counts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from freezebench.config.settings import Settings
    from freezebench.records.data_facts import DataFacts
    from freezebench.report.durations import ExpectedDurations
    from freezebench.specs.run import Protocol, RunSpec
    from freezebench.specs.slots import Slot

_ROUNDING = 100  # numbers of sentences follow from assumptions about the runs
_MOST_SLOTS = _MOST_NAMED = 8
_SHORTEST_NAME = 8
# How notes begin on splits that were drawn from others, on rows that were left out, and on joined labels.
_NOTES = ("There is no ", "Bad rows: ", "Labels were separated ")
_POWER = 0.8  # probability that a configuration without any drop is found non-inferior


def training_text(protocol: Protocol) -> str:
    """Return how long and with what batches runs train: ``2 epochs, batch 16, shuffled, no dropout``."""
    # None: the engine's default.
    order = f", {protocol.batch_order}" if protocol.batch_order else ""
    dropout = "" if protocol.dropout else ", no dropout"
    return f"{counted(protocol.num_epochs, 'epoch')}, batch {protocol.batch_size}{order}{dropout}"


def settings_lines(settings: Settings, specs: Iterable[str] = ()) -> list[str]:
    """Return the settings of one test in words.

    Args:
        settings: The settings.
        specs: Its configurations, of which another engine than the session's may train some.
    """
    protocol = settings.protocol
    seeds = f"seeds {', '.join(map(str, settings.seeds[: settings.looks.counts[0]]))}"
    if len(settings.looks.counts) > 1:
        looks = _looks_text(settings)
        seeds += f", and up to {settings.seeds[-1]} while a verdict is inconclusive (judged after {looks})"
    rates = ", ".join(split_entries(str(settings.learning_rates)))
    if settings.tune_lr:
        factors = ", ".join(f"{factor:g}" for factor in settings.tune_lr)
        rates += f", each tried times {factors} with seed {trial_seed(settings)}; the lowest validation loss chooses"
    return [
        f"freezebench: {text}"
        for text in (
            f"preset {settings.preset} ({settings.preset_reason})",
            f"model {settings.model}, data {_data_text(settings)}, grid {settings.grid}, {seeds}",
            f"engine {engines_text(settings, specs)}, device {settings.device}, precision {protocol.precision}",
            f"{training_text(protocol)}, learning rate {rates}",
        )
    ]


def _data_text(settings: Settings) -> str:
    """Return the data set, what an interval counts where that is no text, and the further test sets."""
    data = settings.data
    parts = [f"groups by {data.group_column}"] if data.group_column else []
    parts += [f"test set {item.name} of {item.source}" for item in data.test_sets]
    return ", ".join([data.source, *parts])


def engines_text(settings: Settings, specs: Iterable[str]) -> str:
    """Return the engine, and those that train what it cannot: ``trainer (lora, lpft: cached)``."""
    others: dict[str, list[str]] = {}
    for freeze in specs:
        engine = settings.run_spec(freeze, settings.seed).engine
        if engine != settings.protocol.engine:
            others.setdefault(engine, []).append(freeze)
    texts = [f"{listed(names, _MOST_NAMED)}: {engine}" for engine, names in others.items()]
    return f"{settings.protocol.engine} ({'; '.join(texts)})" if texts else settings.protocol.engine


def experiment_line(settings: Settings, specs: Collection[str]) -> str:
    """Return one test in a line, for a session that has several: model, data, size, how runs train."""
    protocol = settings.protocol
    return (
        f"freezebench: {settings.model} on {settings.data.source}: "
        f"{_size_text(settings, specs)}, {training_text(protocol)}, engine {engines_text(settings, specs)}"
    )


def resolution_line(settings: Settings, facts: DataFacts, *, is_finished: bool = False) -> str | None:
    """Return the smallest margin that this number of seeds and distinct test sentences resolves, or that none is.

    ``None`` where only runs show it, and all of them are finished (``is_finished``): then their verdicts do.
    """
    if settings.looks.max_seeds == 1:
        return "freezebench: one seed gives figures and no verdict; use --freeze-num-seeds=3 or more for verdicts"
    size, metric = size_text(facts, settings.data.group_column), metric_of_data(facts, settings.metric)
    if (sentence := too_few_sentence(facts, metric)) is not None:
        return f"freezebench: {sentence}"
    resolved = shown_margins(settings, facts)
    if not resolved:
        drop = f"how small a drop of {metric.label} can be shown with {size}"
        return None if is_finished else f"freezebench: {drop} is known after the first runs"
    texts = [f"{margin:.1f} points with {counted(count, 'seed')}" for count, margin in resolved.items()]
    line = f"freezebench: smallest margin that {size} can show ({100 * _POWER:g} % power): {', '.join(texts)}"
    if min(resolved.values()) > settings.margin_pp:
        line += f". The margin of {settings.margin_pp:g} is smaller, so expect inconclusive verdicts: "
        line += _resolving_text(settings, facts.num_distinct_test)
    return line


def shown_margins(settings: Settings, facts: DataFacts) -> dict[int, float]:
    """Return the smallest margin that each number of seeds can show; empty where no usual spread is known.

    The spread of an accuracy between sentences is usual; that of other metrics, or between groups, is not known yet.
    """
    metric = metric_of_data(facts, settings.metric)
    if metric is not ACCURACY or facts.task != "sequence-classification" or settings.data.group_column is not None:
        return {}
    return {
        count: resolvable_margin(count, facts.num_distinct_test, power=_POWER, alpha=settings.looks.alpha)
        for count in settings.looks.counts
    }


def _resolving_text(settings: Settings, num_sentences: int) -> str:
    """Return how many seeds or test sentences would resolve the margin, as a clause."""
    looks, margin_pp = settings.looks, settings.margin_pp
    counts = resolving_counts(looks.max_seeds, num_sentences, margin_pp, power=_POWER, alpha=looks.alpha)
    ways = [] if counts.num_seeds is None else [f"{counts.num_seeds} seeds (--freeze-num-seeds={counts.num_seeds})"]
    if counts.num_sentences is not None:
        ways.append(f"{math.ceil(counts.num_sentences / _ROUNDING) * _ROUNDING:,} test sentences")
    if ways:
        return f"about {' or '.join(ways)} would be enough"
    if counts.both_suffice:
        return "both more seeds and more test sentences are needed"
    return f"it is too small even for {largest_design()}"


def devices_line(models: Mapping[Slot, str], cluster: str | None = None) -> str:
    """Return which devices train at the same time.

    Args:
        models: Product name of each slot's device.
        cluster: ``--freeze-cluster``; ``None`` if they are of this machine.
    """
    names: dict[str, list[str]] = defaultdict(list)
    for slot, model in models.items():
        names[model].append(slot.name)
    devices = "; ".join(f"{listed(slots, _MOST_SLOTS)} ({model})" for model, slots in names.items())
    where = f" of the Ray cluster {cluster}" if cluster else ""
    shares = any(slot.shares_processor for slot in models)
    times = "; times of runs that share a processor are not measured" if shares else ""
    runs = "1 run at a time trains" if len(models) == 1 else f"{len(models)} runs at a time train"
    return f"freezebench: {runs} on {devices}{where}{times}"


def data_lines(facts: DataFacts, group_column: str | None = None) -> list[str]:
    """Return the sizes of the splits and of further test sets, the number of classes, and how they came about."""
    test = size_text(facts, group_column)
    sizes = f"{facts.num_train:,} training, {facts.num_validation:,} validation and {test}"
    further = "".join(
        f"; test set {item.name}: {size_text(item, group_column, 'sentences')}" for item in facts.test_sets
    )
    line = f"{sizes} of {classes_text(facts)}{further}"
    notes = [f"{note[0].lower()}{note[1:]}" for note in facts.notes if note.startswith(_NOTES)]
    return [f"freezebench: {text}" for text in (line, *notes)]


def run_table(
    settings: Settings,
    runs: Sequence[RunSpec],
    left: Sequence[RunSpec],
    expected: ExpectedDurations | None,
    *,
    num_train: int,
    width: int,
) -> list[str]:
    """Return the planned runs of one test as a table, one line per configuration, and one for the trials of its rate.

    Args:
        settings: Settings of the test.
        runs: The planned runs.
        left: Those that no earlier session finished; a run that is repeated is among them as often as it is trained.
        expected: Their durations, as far as they are known.
        num_train: Number of training sentences.
        width: Columns of the terminal. Names that are too wide for it go on below, so that nothing is cut.
    """
    protocol = settings.protocol
    cells = []
    rows = {(run.freeze, not _is_trial(run, settings)) for run in runs}
    for freeze, is_judged in sorted(rows, key=lambda row: (FreezeSpec.parse(row[0]).frozen_order, row[1])):
        own, own_left = (
            [run for run in part if run.freeze == freeze and is_judged is not _is_trial(run, settings)]
            for part in (runs, left)
        )
        is_open = is_judged and any(run.freeze == freeze and _is_trial(run, settings) for run in left)
        rates = ", ".join(dict.fromkeys(f"{run.protocol.learning_rate:g}" for run in own))
        num_finished = len(own) - len(own_left)
        seconds = None if expected is None else expected.seconds.get(freeze)
        duration = "unknown" if seconds is None else duration_text(seconds)
        seeds = sorted({run.seed for run in own})
        cells.append(
            [
                freeze if is_judged else f"{freeze}, trials",
                len(own),
                num_finished,
                f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}",
                "the chosen one" if is_open else rates,
                f"{protocol.num_epochs * math.ceil(num_train / protocol.batch_size):,}",
                NOT_MEASURED if num_finished == len(own) else duration,
            ]
        )
    headers = [
        names_heading(run.freeze for run in runs),
        "runs",
        "finished",
        "seeds",
        "learning rate",
        "steps each",
        "expected each",
    ]
    return _table(cells, headers, width)


def _table(cells: Sequence[Sequence[object]], headers: Sequence[str], width: int) -> list[str]:
    """Return a table of names and figures: where it is too wide, headings and names have several lines."""
    draw = partial(tabulate, cells, disable_numparse=True, colalign=["left", *["right"] * (len(headers) - 1)])
    lines = draw(headers).splitlines()
    if len(lines[1]) <= width:
        return lines
    narrow = [heading.replace(" ", "\n") for heading in headers]
    lines = draw(narrow).splitlines()
    widest = max(len(str(row[0])) for row in cells)
    excess = max(map(len, lines)) - width
    return draw(narrow, maxcolwidths=[max(widest - excess, _SHORTEST_NAME)]).splitlines() if excess > 0 else lines


def _is_trial(run: RunSpec, settings: Settings) -> bool:
    """Return whether a planned run is a trial of a learning rate."""
    return bool(settings.tune_lr) and run.seed == trial_seed(settings)


def duration_line(num_runs: int, num_left: int, expected: ExpectedDurations | None, *, is_least: bool = False) -> str:
    """Return the expected duration of the planned runs of one test, and where it comes from.

    Args:
        num_runs: Number of planned runs.
        num_left: Number of those that no earlier session finished.
        expected: Their durations, as far as they are known.
        is_least: Whether their results determine which further runs are needed.
    """
    runs, left = f"freezebench: {'first ' if is_least else ''}{counted(num_runs, 'run')}", ""
    if not num_left:
        return f"{runs}, all of which earlier sessions finished: nothing is left to train (--freeze-resume)"
    if num_left < num_runs:
        runs += f", {num_runs - num_left} of which earlier sessions finished"
        left = f" of the other {'one' if num_left == 1 else num_left}"
    if expected is None:
        runs_text = "these configurations" if left else "this experiment"
        return (
            f"{runs}; the duration{left} is unknown until the first run has ended, since no earlier run of {runs_text} "
            "on this device is saved"
        )
    unknown = ""
    if expected.num_known < num_left:
        left = f" of {expected.num_known}{left or ' of them'}"
        unknown = "how long the others take is unknown, and "
    devices = "" if expected.num_slots == 1 else f" on {expected.num_slots} devices"
    return (
        f"{runs}: training and evaluation{left} take about {duration_text(expected.total_s)}{devices}, by the median "
        f"times of {expected.source}; {unknown}loading is not included"
    )


def size_line(settings: Settings, specs: Collection[str]) -> str:
    """Return the number of configurations and of seeds."""
    is_implied = not settings.searches and "none" not in specs
    implied = "; the unfrozen baseline runs as well, since every drop is measured from it" if is_implied else ""
    return f"freezebench: {_size_text(settings, specs)}{implied}"


def _size_text(settings: Settings, specs: Collection[str]) -> str:
    """Return how many configurations train with how many seeds, or how many of them a search tries."""
    configurations = {spec for spec in specs if spec != "none"}
    num_prefixes = sum(FreezeSpec.parse(spec).is_prefix for spec in configurations)
    if not settings.searches or not num_prefixes:
        each = " each" if len(specs) > 1 else ""
        return f"{counted(len(specs), 'configuration')} with {_looks_text(settings)}{each}"
    fewest, most = run_bounds(num_prefixes, settings.looks.counts)
    prefixes = "1 prefix" if num_prefixes == 1 else f"{num_prefixes} prefixes"
    num_tried, num_others = max_trials(num_prefixes), len(configurations) - num_prefixes
    others = f", and {counted(num_others, 'other configuration')}" if num_others else ""
    return (
        f"search over {prefixes}, of which at most {num_tried} {'trains' if num_tried == 1 else 'train'}, "
        f"each with {_looks_text(settings)}: {fewest if fewest == most else f'{fewest} to {most}'} runs, those of the "
        f"unfrozen baseline included{others}"
    )


def _looks_text(settings: Settings) -> str:
    """Return the numbers of seeds after which configurations are judged: ``3, then 5 seeds``."""
    looks = ", then ".join(str(count) for count in settings.looks.counts)
    return f"{looks} seed" + ("" if looks == "1" else "s")
