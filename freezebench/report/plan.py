"""The plan: what is going to run and what it can resolve, said before anything is trained."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

from tabulate import tabulate

from freezebench.errors import RecordError
from freezebench.planning.design import first_runs
from freezebench.report.durations import expected, left_text
from freezebench.specs.freeze import FreezeSpec
from freezebench.verdicts.power import resolvable_margin

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from freezebench.config.settings import Settings
    from freezebench.data.load import TextData
    from freezebench.records.run_record import RunRecord
    from freezebench.records.saved import SavedRun
    from freezebench.report.durations import Expected
    from freezebench.specs.run import RunSpec


def plan_lines(settings: Settings) -> list[str]:
    """Return the settings in words."""
    protocol = settings.protocol
    seeds = f"seeds {_range(settings.seeds[: settings.looks.counts[0]])}"
    if len(settings.looks.counts) > 1:
        seeds += f", up to {settings.seeds[-1]} where undecided (looks after {settings.looks} seeds)"
    rates = str(settings.learning_rates).replace(",", ", ")
    return [
        f"freezebench: {text}"
        for text in (
            f"preset {settings.preset} ({settings.preset_reason})",
            f"model {settings.model}, data {settings.data.source}, grid {settings.grid}, {seeds}",
            f"engine {protocol.engine}, device {settings.device}, precision {protocol.precision}",
            f"{_counted(protocol.num_epochs, 'epoch')}, batch {protocol.batch_size}, learning rate {rates}",
        )
    ]


def _range(seeds: Sequence[int]) -> str:
    return ", ".join(str(seed) for seed in seeds)


def resolution_line(settings: Settings, num_sentences: int) -> str:
    """Return which drop this design can tell from the margin, before anything is trained."""
    looks = settings.looks
    if looks.max_seeds == 1:
        return "freezebench: one seed gives figures and no verdict; use --freeze-num-seeds=3 or more for verdicts"
    resolved = {count: resolvable_margin(count, num_sentences, alpha=looks.alpha) for count in looks.counts}
    texts = [f"{count} seed{'s' if count > 1 else ''} {margin:.1f} points" for count, margin in resolved.items()]
    line = (
        f"freezebench: {num_sentences} test sentences × {', '.join(texts)}: the smallest margin resolved (80 % power)"
    )
    if min(resolved.values()) > settings.margin_pp:
        line += (
            f", more than the margin of {settings.margin_pp:g}: expect undecided verdicts; more seeds or sentences help"
        )
    return line


def saved_runs(reference: SavedRun | None, report: Path | None) -> list[SavedRun]:
    """Return the saved runs that a session knows of: its reference, and the report that it is going to replace."""
    from freezebench.records.saved_files import read_saved_run

    found = [] if reference is None else [reference]
    if report is not None:
        # What is not there yet, or is no report, tells nothing.
        with contextlib.suppress(RecordError):
            found.append(read_saved_run(report))
    return found


def describe(
    settings: Settings,
    grid: Sequence[str],
    data: TextData,
    *,
    saved: Sequence[SavedRun],
    finished: Callable[[Sequence[RunSpec]], Mapping[str, RunRecord]],
    device_name: str,
    with_times: bool,
    in_full: bool,
) -> list[str]:
    """Return how long one test's runs will take and how that is known, before anything is trained.

    Args:
        settings: What was asked for.
        grid: Canonical ids of the configurations.
        data: The data set.
        saved: Saved runs, which tell how long such runs take.
        finished: Returns by run id which of some runs the store has.
        device_name: Model of the GPU or CPU that is going to train.
        with_times: Whether required savings of time and energy are checked.
        in_full: Whether data and runs are shown as well, configuration by configuration.
    """
    runs = first_runs({settings: grid}, with_times=with_times)
    # Times that are compared are always taken anew.
    timed = with_times and any(settings.costs.needs_paired_runs(freeze) for freeze in grid if freeze != "none")
    done = {} if timed else finished(runs)
    rest = [run for run in runs if run.run_id not in done]
    saved = [*saved, _as_saved(done)] if done else saved
    known = expected(rest, saved, device_name) if saved and rest else None
    lines = _table(settings, runs, done, data, known) if in_full else []
    return [*lines, _duration(len(runs), rest, known)]


def _as_saved(done: Mapping[str, RunRecord]) -> SavedRun:
    """Return finished runs as a source of durations."""
    from freezebench.records.saved import SavedRun, from_records

    by_freeze: dict[str, list[RunRecord]] = {}
    for record in done.values():
        by_freeze.setdefault(record.spec.freeze, []).append(record)
    configurations = tuple(from_records(freeze, records) for freeze, records in by_freeze.items())
    date = max(record.started_at for record in done.values())
    return SavedRun(source="the finished runs", date=date, configurations=configurations)


def _duration(num_runs: int, rest: Sequence[RunSpec], known: Expected | None) -> str:
    """Return how long the runs will take, and how that is known."""
    runs = f"freezebench: {_counted(num_runs, 'run')}"
    if not rest:
        return f"{runs}, all of which earlier sessions finished: nothing is left to train (--freeze-resume)"
    if len(rest) < num_runs:
        runs += f", {num_runs - len(rest)} of which earlier sessions finished; the {_counted(len(rest), 'other')}"
    if known is None:
        return (
            f"{runs}{',' if len(rest) == num_runs else ':'} duration unknown until the first has ended: no saved run "
            "of this experiment on this device (--freeze-store, --freeze-report=DIR or --benchmark-compare would name "
            "saved runs)"
        )
    num_unknown = len(rest) - known.num_known
    unknown = f", {num_unknown} more of unknown duration" if num_unknown else ""
    return (
        f"{runs}: about {left_text(known.total_s)} of training and evaluation by "
        f"the medians of {known.source}{unknown}; loading comes on top"
    )


def _table(
    settings: Settings,
    runs: Sequence[RunSpec],
    done: Mapping[str, RunRecord],
    data: TextData,
    known: Expected | None,
) -> list[str]:
    """Return the sizes of the data, and the runs of every configuration."""
    protocol = settings.protocol
    num_steps = protocol.num_epochs * math.ceil(len(data.train) / protocol.batch_size)
    cells = []
    for freeze in sorted({run.freeze for run in runs}, key=lambda freeze: FreezeSpec.parse(freeze).frozen_order):
        own = [run for run in runs if run.freeze == freeze]
        num_done = sum(run.run_id in done for run in own)
        seconds = None if known is None else known.seconds.get(freeze)
        each = "unknown" if seconds is None else left_text(seconds)
        each = "–" if num_done == len(own) else each
        seeds = sorted({run.seed for run in own})
        span = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        rate = f"{own[0].protocol.learning_rate:g}"
        cells.append([freeze, len(own), num_done, span, rate, f"{num_steps:,}", each])
    headers = ["frozen", "runs", "finished", "seeds", "learning rate", "steps each", "expected each"]
    sizes = f"{len(data.train):,} training, {len(data.validation):,} validation and {len(data.test):,} test sentences"
    return [
        f"freezebench: {sizes} of {data.num_labels} classes",
        *tabulate(cells, headers, disable_numparse=True, colalign=["left", *["right"] * 6]).splitlines(),
    ]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def size_line(settings: Settings, specs: Collection[str]) -> str:
    """Return how many configurations run how often."""
    implied = "" if "none" in specs else "; the unfrozen baseline runs as well, since every drop is measured from it"
    looks = ", then ".join(str(count) for count in settings.looks.counts)
    seeds = f"{looks} seed" + ("" if looks == "1" else "s")
    return f"freezebench: {_counted(len(specs), 'configuration')} × {seeds}{implied}"
