"""The evidence under the answer: pictures, data card, protocol, environment, footnotes, command."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from freezebench.report.experiment import subsettings
from freezebench.report.page.answer import with_code
from freezebench.report.page.histogram import histogram
from freezebench.report.page.markup import Html, copyable, data_table, definitions, element, joined, section
from freezebench.report.picture import Missing, Picture
from freezebench.report.reproduce import reproduction_command
from freezebench.report.subsets import WHY_TEST_SETS
from freezebench.specs.run import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezebench.records.data_facts import DataFacts
    from freezebench.report.experiment import Experiment
    from freezebench.specs.json_types import Json
    from freezebench.specs.run import Engine

_SPLITS = ("train", "validation", "test")
_NAMES = {"source_sha256": "freezebench source (SHA-256)", "torch_num_threads": "torch threads"}
# Reports of version 0.1 hold their answer among these sentences.
_OLD_ANSWERS = ("Deepest safe prefix: ", "Recommended: ")
_NOT_RECORDED = "not recorded by the version of freezebench that trained these runs; train again to have it"


def split_forest_plot(drawn: Sequence[Picture | Missing]) -> tuple[Html | None, list[Picture | Missing]]:
    """Return the picture of the drops, which belongs to the answer, and the other ones; ``None`` if it is missing."""
    forest_plots = [_figure(picture) for picture in drawn if isinstance(picture, Picture) and picture.name == "drop"]
    others = [picture for picture in drawn if isinstance(picture, Missing) or picture.name != "drop"]
    return (forest_plots[0] if forest_plots else None), others


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
    caption = (
        "Shares of a step; seconds of evaluation between the epochs; the speed-up predicted from the counted "
        "operations of the matrix products, the measured one without (warm) and with (cold) the pass over the frozen "
        "prefix, and the epoch in which the time saved exceeds that of the pass."
    )
    return section("How the time is spent", data_table(caption, headers, cells))


def memory_used(experiment: Experiment) -> Html | None:
    """Return what the memory of every configuration is used for; ``None`` if no run recorded it."""
    headers, cells = experiment.summary.memory
    if not headers:
        return None
    caption = (
        "At the last step, the largest over the seeds. Weights include buffers and what strategies add; merged weights "
        "are those without it, once it is merged. Weights, gradients and optimizer state are counted from tensors; "
        "activations are what is left of the peak of a GPU's allocator, and are not measured on a CPU."
    )
    return section("What the memory is used for", data_table(caption, headers, cells))


def subsets(experiment: Experiment) -> Html | None:
    """Return the drops of classes, slices and test sets; ``None`` where there are none."""
    tables = experiment.summary.subsets
    if not tables:
        return None
    parts = []
    for table in tables:
        why = element("p", WHY_TEST_SETS) if table.kind == "test set" else None
        parts += [element("h3", table.title), why, data_table(table.caption, table.headers, table.cells)]
    return section("Classes, slices and test sets", *parts)


def data_card(experiment: Experiment) -> Html:
    """Return the data card: source, classes, splits, leakage, lengths."""
    facts = next((record.data for record in experiment.records if record.data), None)
    source = experiment.data_source
    if facts is None:
        return section("Data", element("p", f"{source}: nothing is known about it, since no run was finished."))
    pairs = [("source", source), ("classes", ", ".join(facts.label_names)), ("leakage", _leakage(facts))]
    return section(
        "Data",
        definitions(pairs),
        element("h3", "Splits and class balance"),
        _balance(facts),
        element("h3", "Length of the sentences"),
        _lengths(facts),
        _list(facts.notes),
        class_="card",
    )


def _leakage(facts: DataFacts) -> str:
    """Return how many sentences of validation and test are also in the training split."""
    if facts.splits is None:
        return _NOT_RECORDED
    parts = []
    for split in ("test", "validation"):
        split_facts = facts.splits[split]
        total = sum(split_facts.class_counts)
        parts.append(f"{split_facts.num_in_train} of {total:,} {split} sentences also occur in train")
    repeated = " and ".join(f"{facts.splits[split].num_repeated} {split}" for split in ("train", "test"))
    return f"{'; '.join(parts)}; {repeated} sentences repeat another one (white space and case aside)"


def _balance(facts: DataFacts) -> Html:
    """Return sizes, class shares and hashes of the splits."""
    rows = []
    for split in _SPLITS:
        size = getattr(facts, f"num_{split}")
        shares = _shares(facts, split)
        rows.append([split, f"{size:,}", *shares, getattr(facts, f"{split}_sha256")[:12]])
    note = "Share of every class in the split."
    if facts.splits is None:
        note += f" Balance of train and validation: {_NOT_RECORDED}."
    return data_table(note, ["split", "sentences", *facts.label_names, "SHA-256"], rows)


def _shares(facts: DataFacts, split: str) -> list[str]:
    """Return the share of every class in a split."""
    names = range(len(facts.label_names))
    if facts.splits is not None:
        counts: Sequence[int] = facts.splits[split].class_counts
    elif split == "test":
        counts = [facts.test_labels.count(label) for label in names]
    else:
        return ["–"] * len(names)
    return [f"{count:,} ({100 * count / max(sum(counts), 1):.1f} %)" for count in counts]


def _lengths(facts: DataFacts) -> Html:
    """Return the histogram of words per sentence."""
    if facts.splits is None:
        return element("p", f"Length histogram: {_NOT_RECORDED}.")
    return histogram(facts.splits["train"].word_counts, "words per training sentence")


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
        "max_length": "not limited",
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
    rows.append(("margin", f"{experiment.margin_pp:g} percentage points"))
    rows.append(("limits from", str(settings.get("limits_from") or "no limit asserted")))
    alpha = next((result.verdict.alpha for result in experiment.results if result.verdict), None)
    if alpha is not None:
        rows.append(("intervals", f"one-sided bounds at {100 * (1 - alpha):g} %, over new seeds and new sentences"))
    return section("Protocol", definitions(rows))


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
    lines = [with_code(sentence) for sentence in sentences if not sentence.startswith(_OLD_ANSWERS)]
    return section("Footnotes", _list(lines), class_="notes")


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
    where = "In the project's root folder."
    if not experiment.tests:
        where = "This report does not name its tests: put your test file in the place of benchmarks."
    return section("Reproduce", code, element("p", where, class_="more"))


def _list(items: Iterable[str]) -> Html:
    return joined([element("ul", *(element("li", item) for item in items))])


def _setting_text(value: Json) -> str:
    """Return a setting as text."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
