"""The evidence under the answer: pictures, tables, protocol, environment, footnotes, command."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from freezebench.records.run_record import data_of
from freezebench.report.experiment import subsettings
from freezebench.report.metric_text import definition, in_points_of
from freezebench.report.page.answer import with_code
from freezebench.report.page.markup import (
    Html,
    bullets,
    copyable,
    data_table,
    definitions,
    element,
    filled_columns,
    joined,
    section,
)
from freezebench.report.picture import Missing, Picture
from freezebench.report.reproduce import reproduction_command
from freezebench.report.rows import table_metric, task_of
from freezebench.report.subsets import WHY_TEST_SETS
from freezebench.report.summary import DATA_NOTE
from freezebench.scoring.metrics import ACCURACY
from freezebench.specs.run import Protocol
from freezebench.units import with_and

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.report.experiment import Experiment
    from freezebench.specs.json_types import Json
    from freezebench.specs.run import Engine

# What the columns of two tables are, by heading; a column that no configuration fills is not shown.
_TIMES = {
    "data": "Data, forward, backward and optimizer are shares of a step.",
    "evaluation": "Evaluation is the time of evaluations between the epochs.",
    "counted": "Counted is the speed-up that the counted operations of the matrix products predict.",
    "warm": "Warm is the measured speed-up of training alone.",
    "cold": "Cold is the same with the time of the pass over the frozen prefix.",
    "paid back in": "The last column is the epoch by whose end the time saved exceeds the time of the pass.",
}
_MEMORY = {
    "weights": "Weights include buffers.",
    "gradients": "Weights, gradients and optimizer state are counted from tensors.",
    "activations, rest": "Activations are the rest of the peak of a GPU's allocator.",
    "added weights": "Added weights are those of strategies, which the weights include.",
    "merged weights": "Merged weights are what remains once those are merged.",
}
_NAMES = {"source_sha256": "freezebench source (SHA-256)", "torch_num_threads": "torch threads"}
# Reports of version 0.1 hold their answer among these sentences.
_OLD_ANSWERS = ("Deepest safe prefix: ", "Recommended: ")


def taken_out(drawn: Sequence[Picture | Missing], name: str) -> tuple[Html | None, list[Picture | Missing]]:
    """Return the picture of a name, which belongs to another section, and the other ones; ``None`` if it is missing."""
    found = [_figure(picture) for picture in drawn if isinstance(picture, Picture) and picture.name == name]
    others = [picture for picture in drawn if isinstance(picture, Missing) or picture.name != name]
    return (found[0] if found else None), others


def pictures(shown: Sequence[Picture | Missing]) -> Html:
    """Return the pictures with their captions, and under them which ones are missing, each reason once."""
    figures = [_figure(picture) for picture in shown if isinstance(picture, Picture)]
    missing: dict[str, list[str]] = {}
    for picture in shown:
        if isinstance(picture, Missing):
            missing.setdefault(picture.reason.rstrip("."), []).append(picture.title)
    return joined(
        [
            element("div", *figures, class_="pictures") if figures else None,
            *(
                element("p", f"Not drawn: {', '.join(titles)} ({reason}).", class_="more")
                for reason, titles in missing.items()
            ),
        ]
    )


def _figure(picture: Picture) -> Html:
    """Return one picture, light and dark, with its caption."""
    light = element("img", src=picture.data_uri(), alt=picture.alt, class_="light")
    dark = element("img", src=picture.data_uri(dark=True), alt=picture.alt, class_="dark")
    return element(
        "figure", element("h3", picture.title), light, dark, element("figcaption", picture.caption), class_=picture.name
    )


def time_spent(experiment: Experiment) -> Html | None:
    """Return how the time of every configuration is spent; ``None`` if no engine recorded its phases."""
    headers, cells = experiment.summary.breakdown
    if not headers:
        return None
    caption = _explained(headers, cells, _TIMES)
    return section("How the time is spent", data_table(caption, headers, cells))


def _explained(headers: Sequence[str], cells: Sequence[Sequence[str]], sentences: Mapping[str, str]) -> str:
    """Return the sentences on those columns that the table shows, by the heading of each."""
    shown = [header for header, is_filled in zip(headers, filled_columns(headers, cells), strict=True) if is_filled]
    return " ".join(sentence for header, sentence in sentences.items() if header in shown)


def memory_used(experiment: Experiment) -> Html | None:
    """Return what the memory of every configuration is used for; ``None`` if no run recorded it."""
    headers, cells = experiment.summary.memory
    if not headers:
        return None
    caption = f"Memory at the last step, the largest over the seeds. {_explained(headers, cells, _MEMORY)}"
    return section("What the memory is used for", data_table(caption, headers, cells))


def subsets(experiment: Experiment, picture: Html | None) -> Html | None:
    """Return the drops of classes, slices and test sets; ``None`` where there are none.

    Args:
        experiment: The experiment.
        picture: The drops on further test sets; ``None`` where it cannot be drawn.
    """
    tables = experiment.summary.subsets
    if not tables:
        return None
    first, *others = [table.title for table in tables]
    names = [first, *(name[0].lower() + name[1:] for name in others)]
    parts: list[Html | None] = []
    for table in tables:
        parts += [element("h3", table.title)] if others else []
        parts += [element("p", WHY_TEST_SETS), picture] if table.kind == "test set" else []
        parts.append(data_table(table.caption, table.headers, table.cells))
    return section(with_and(names), *parts)


def protocol(experiment: Experiment) -> Html:
    """Return how the runs trained and were judged."""
    settings = experiment.settings
    rows: list[tuple[str, str]] = [
        ("preset", f"{settings.get('preset')} ({settings.get('preset_reason')})"),
        ("model", experiment.model),
    ]
    requested = subsettings(settings, "protocol")
    usual = Protocol(engine=cast("Engine", requested.get("engine")))
    # What it means that a setting was left out differs between settings.
    unset = {
        "max_length": "what model and tokenizer allow",
        "prefix_mode": f"{usual.frozen_part_runs_in} (engine's default)",
        "batch_order": f"{usual.order_of_batches} (engine's default)",
    }
    rows += [
        (name.replace("_", " "), unset.get(name, "unknown") if value is None else _setting_text(value))
        for name, value in requested.items()
        if name != "learning_rate"
    ]
    rates = {row.freeze: f"{row.learning_rate:g}" for row in experiment.rows if row.learning_rate}
    rows.append(("learning rate", ", ".join(f"{name} {rate}" for name, rate in rates.items())))
    seeds = sorted({record.spec.seed for record in experiment.records})
    rows.append(("seeds", ", ".join(map(str, seeds))))
    counts = subsettings(settings, "looks").get("counts")
    looks = ", ".join(map(str, counts)) if isinstance(counts, list) else "unknown"
    rows.append(("judged after", f"{looks} seeds"))
    rows += _judging(experiment)
    rows.append(("limits from", str(settings.get("limits_from") or "no limit is asserted")))
    alpha = next((result.verdict.alpha for result in experiment.results if result.verdict), None)
    if alpha is not None:
        group = subsettings(settings, "data").get("group_column")
        units = "new sentences" if group is None else f"new groups ({group})"
        rows.append(("intervals", f"one-sided bounds at {100 * (1 - alpha):g} %, over new seeds and {units}"))
    return section("Protocol", definitions(rows))


def _judging(experiment: Experiment) -> list[tuple[str, str]]:
    """Return task, metric, margin, and what else is judged; of a classifier's accuracy the margin alone."""
    metric, task = table_metric(experiment.rows), task_of(experiment.rows)
    limits = {name: experiment.settings.get(f"max_{name}_drop") for name in ("slice", "test")}
    rows = [
        (f"limit on every {name}{' set' if name == 'test' else ''}", in_points_of(float(limit), metric))
        for name, limit in limits.items()
        if isinstance(limit, int | float)
    ]
    data = data_of(experiment.records)
    num_units = 0 if data is None else data.num_distinct_test
    if metric is ACCURACY and task == "sequence-classification":
        return [("margin", f"{experiment.margin_pp:g} percentage points"), *rows]
    return [
        ("task", task),
        ("metric", definition(metric, num_units)),
        ("margin", in_points_of(experiment.margin_pp, metric)),
        *rows,
    ]


def environment(experiment: Experiment) -> Html:
    """Return machine, number format and versions."""
    rows: dict[str, list[str]] = {}
    for record in experiment.records:
        for name, value in {
            "device": f"{record.device_name} ({record.device})",
            "precision": record.precision,
            **record.environment,
            "model weights (SHA-256)": record.model_sha256 or "unknown",
        }.items():
            rows.setdefault(name, []).append(value)
        for device in record.devices:
            rows.setdefault("NVML", []).append(
                ", ".join(f"{key} {_setting_text(value)}" for key, value in device.items())
            )
    starts = sorted(record.started_at for record in experiment.records if record.started_at)
    pairs = [("first and last run began", " and ".join(dict.fromkeys([starts[0], starts[-1]])))] if starts else []
    pairs += [
        (_NAMES.get(name, name.replace("_", " ")), "; ".join(dict.fromkeys(values))) for name, values in rows.items()
    ]
    return section("Environment", definitions(pairs))


def footnotes(experiment: Experiment) -> Html:
    """Return the sentences that qualify the answer."""
    sentences = (*experiment.summary.lines, *experiment.summary.notes)
    # The section on the data has the notes on them.
    lines = [with_code(text) for text in sentences if not text.startswith((*_OLD_ANSWERS, DATA_NOTE))]
    return section("Footnotes", bullets(lines), class_="notes")


def last_lines(experiment: Experiment) -> Html | None:
    """Return the ends of the logs of invalid runs; ``None`` if there are none."""
    parts = [
        part
        for traceback in experiment.summary.tracebacks
        for part in (
            element("p", traceback.title),
            element("pre", element("code", "\n".join(traceback.lines))),
        )
    ]
    return section("Invalid runs", *parts) if parts else None


def reproduce(experiment: Experiment) -> Html:
    """Return the command that runs this experiment again."""
    code = copyable(reproduction_command(experiment.settings, experiment.tests))
    where = "Run it in the project's root folder."
    if not experiment.tests:
        where = "This report does not name its tests: replace benchmarks by your test file."
    return section("Reproduce", code, element("p", where, class_="more"))


def _setting_text(value: Json) -> str:
    """Return a setting as text."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
