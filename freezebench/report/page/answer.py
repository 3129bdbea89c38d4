"""The first lines of the page: what can be frozen, what that saves, and how sure it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.report.page.markup import Html, element, joined
from freezebench.report.reasons import why_not_measured
from freezebench.specs.freeze import FreezeSpec
from freezebench.units import bytes_text, energy_text, saving_text, seconds_text
from freezebench.verdicts.vocabulary import VERDICTS

if TYPE_CHECKING:
    from freezebench.report.experiment import Experiment
    from freezebench.report.rows import Row


def answer_sentences(experiment: Experiment) -> list[str]:
    """Return the answer in words, the deepest safe prefix first."""
    return list(experiment.summary.answer_lines)


def answer(experiment: Experiment) -> Html:
    """Return the answer of one experiment."""
    deepest = experiment.deepest
    baseline = next((result for result in experiment.results if result.is_baseline), None)
    margin = f"{experiment.margin_pp:g} points"
    if baseline is not None and baseline.broken:
        headline = "No verdict: the baseline is invalid."
    elif deepest is None:
        headline = f"No configuration is shown to stay within {margin}."
    else:
        headline = f"Freeze {in_words(deepest.freeze)}: accuracy stays within {margin}."
    return element(
        "section",
        element("h2", headline, class_="headline"),
        *(
            element("p", sentence, class_="answer" if index == 0 else "more")
            for index, sentence in enumerate(answer_sentences(experiment))
        ),
        None if deepest is None else _tiles(experiment, deepest),
        _ladder(experiment),
        class_="answers",
        aria_label="answer",
    )


def in_words(freeze: str) -> str:
    """Return the frozen parts of a prefix in words."""
    layers = FreezeSpec.parse(freeze).layers
    if not layers:
        return "the embeddings"
    if len(layers) == 1:
        return f"the embeddings and layer {layers[0]}"
    return f"the embeddings and layers {layers[0]} to {layers[-1]}"


def _tiles(experiment: Experiment, row: Row) -> Html:
    """Return one tile for each saving of the deepest safe prefix, and one for its certainty."""
    baseline = experiment.baseline
    if baseline is None:
        return element("div", _tile("Certainty", _certainty(experiment, row), ""), class_="tiles")
    time = memory = energy = None
    # Every tile is shown, so that a missing measurement is visible with its reason.
    if row.speedup is not None:
        time = f"{row.speedup:.2f}×", f"as fast: {seconds_text(baseline.train_s)} → {seconds_text(row.train_s)}"
    if row.memory_saving is not None:
        figures = f"{bytes_text(baseline.peak_memory_bytes)} → {bytes_text(row.peak_memory_bytes)}"
        memory = saving_text(row.memory_saving), f"peak memory: {figures}"
    if row.energy_saving is not None:
        uncertainty = row.energy_saving_uncertainty
        within = "" if uncertainty is None else f" (± {100 * uncertainty:.0f} points)"
        energy = (
            saving_text(row.energy_saving),
            f"energy{within}: {energy_text(baseline.energy_j)} → {energy_text(row.energy_j)}",
        )
    return element(
        "div",
        _tile("Time", time, why_not_measured(experiment.records, "train_s"), (row.speedup or 1) - 1),
        _tile("Memory", memory, why_not_measured(experiment.records, row.memory_metric), row.memory_saving),
        _tile("Energy", energy, why_not_measured(experiment.records, row.energy_metric), row.energy_saving),
        _tile("Certainty", _certainty(experiment, row), ""),
        class_="tiles",
    )


def _certainty(experiment: Experiment, row: Row) -> tuple[str, str]:
    """Return the confidence level of the drop's upper bound, and the bound."""
    verdict = next(result.verdict for result in experiment.results if result.freeze == row.freeze)
    if verdict is None or verdict.upper_pp is None:
        return "unknown", "there is no interval"
    seeds = f"{verdict.num_seeds} seed{'' if verdict.num_seeds == 1 else 's'}"
    level = f"{100 * (1 - verdict.alpha):g} %"
    return (
        level,
        f"sure of a drop below {verdict.upper_pp:.1f} points: {seeds} × {verdict.num_sentences:,} sentences",
    )


def _tile(title: str, figures: tuple[str, str] | None, reason: str, gain: float | None = None) -> Html:
    """Return one figure, or why it is missing; a negative gain is marked as a loss."""
    figure, explanation = figures or ("not measured", reason)
    kind = "tile" if figures else "tile missing"
    kind += " loss" if gain is not None and gain < 0 else ""
    return element("div", element("h3", title), element("strong", figure), element("span", explanation), class_=kind)


def _ladder(experiment: Experiment) -> Html:
    """Return every configuration with its verdict."""
    chips = []
    for row in experiment.rows:
        term = VERDICTS[row.verdict]
        mark = element("span", term.sign, class_="sign", aria_hidden="true")
        label = element("span", term.word)
        chips.append(element("li", mark, element("code", row.freeze), " ", label, class_=row.verdict))
    words = [VERDICTS[row.verdict].word for row in experiment.rows if row.verdict != "baseline"]
    counts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    judged = f"Judged at the margin of {experiment.margin_pp:g} points: {counts or 'nothing but the baseline'}."
    return joined([element("ol", *chips, class_="ladder"), element("p", judged, class_="more")])
