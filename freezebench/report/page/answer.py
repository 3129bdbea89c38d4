"""The first section of the page: the answer, the drop of every configuration, what freezing saves, and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezebench.report.data_text import size_of_run
from freezebench.report.gate_text import failed_limits
from freezebench.report.metric_text import result_metric, unsigned_drop
from freezebench.report.page.markup import Html, element, joined
from freezebench.report.recommendation import recommended
from freezebench.units import bytes_text, counted, energy_text, ratio_text, saving_text, seconds_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezebench.report.experiment import Experiment
    from freezebench.report.rows import Row

_MOST_SHOWN = 8
# What a sentence tells people to type.
# A value has no punctuation at its end, and no bracket that opens before the option.
_CODE = re.compile(
    r"freezebench\.\w+\([^)]*\)|--freeze-[\w-]+(?:=(?:[^\s()]|\([^\s()]*\))*(?:[^\s(),;:.]|\([^\s()]*\)))?"
)


def answer(experiment: Experiment, forest_plot: Html | None) -> Html:
    """Return the answer of one experiment.

    Args:
        experiment: The experiment.
        forest_plot: The drop of every configuration, or ``None`` where it cannot be drawn.
    """
    given = experiment.summary.answer
    recommendation = recommended(experiment.results, experiment.rows)
    saved = None if recommendation is None else _tiles(experiment, recommendation)
    failed = failed_limits(experiment.results)
    more = [f"and {len(failed) - _MOST_SHOWN} more"] if len(failed) > _MOST_SHOWN else []
    return element(
        "section",
        *(element("p", sentence, class_="failed-limit") for sentence in [*failed[:_MOST_SHOWN], *more]),
        element("h2", given.headline, class_="headline"),
        *(element("p", with_code(sentence), class_="answer") for sentence in given.details),
        element("div", forest_plot, saved, class_="evidence") if forest_plot or saved else None,
        element("div", *(element("p", with_code(sentence)) for sentence in given.next_steps), class_="next")
        if given.next_steps
        else None,
        class_=f"answers {given.outcome}",
    )


def with_code(sentence: str) -> Html:
    """Return a sentence with calls and options set as code."""
    return joined(_pieces(sentence))


def _pieces(sentence: str) -> Iterator[str]:
    end = 0
    for match in _CODE.finditer(sentence):
        yield sentence[end : match.start()]
        code = match.group()
        yield element("code", code, class_="option" if code.startswith("--") else None)
        end = match.end()
    yield sentence[end:]


def _tiles(experiment: Experiment, row: Row) -> Html:
    """Return one tile for each measured saving of a configuration, and one for its certainty."""
    baseline = experiment.baseline
    tiles = []
    if baseline is not None and row.speedup is not None:
        times = f"{seconds_text(baseline.train_s)} → {seconds_text(row.train_s)}"
        tiles.append(_tile("Time", ratio_text(row.speedup), f"as fast{_interval(row)}: {times}", _speed_tone(row)))
    if baseline is not None and row.memory_saving is not None:
        figures = f"{bytes_text(baseline.peak_memory_bytes)} → {bytes_text(row.peak_memory_bytes)}"
        tone = "loss" if row.memory_saving < 0 else "gain"
        tiles.append(_tile("Memory", saving_text(row.memory_saving), f"peak memory: {figures}", tone))
    if baseline is not None and row.energy_saving is not None:
        uncertainty = row.energy_saving_uncertainty
        within = "" if uncertainty is None else f" (± {100 * uncertainty:.0f} points)"
        figures = f"{energy_text(baseline.energy_j)} → {energy_text(row.energy_j)}"
        tone = "loss" if row.energy_saving < 0 else "gain"
        tiles.append(_tile("Energy", saving_text(row.energy_saving), f"energy{within}: {figures}", tone))
    tiles += _certainty(experiment, row)
    return element("div", *tiles, class_="tiles")


def _interval(row: Row) -> str:
    if row.speedup_lower is None or row.speedup_upper is None:
        return " (one pair of runs: no interval)"
    return f" (90 % interval {ratio_text(row.speedup_lower)} to {ratio_text(row.speedup_upper)})"


def _speed_tone(row: Row) -> str:
    """Return the tone of a speed-up; only one whose interval excludes 1 is a gain or a loss."""
    return {"gain": "gain", "loss": "loss"}.get(row.speedup_outcome, "")


def _certainty(experiment: Experiment, row: Row) -> list[Html]:
    """Return the confidence level of the drop's upper bound, and the bound, where there is an interval."""
    result = next(result for result in experiment.results if result.freeze == row.freeze)
    verdict, data = result.verdict, result.records[0].data
    if verdict is None or verdict.upper_pp is None or data is None:
        return []
    metric, sentences = result_metric(result), size_of_run(result.records[0], "sentences")
    drop = f"{unsigned_drop(verdict.upper_pp, metric)} {metric.drop_unit}"
    bound = f"that the drop is below {drop}: {counted(verdict.num_seeds or 0, 'seed')}, {sentences}"
    return [_tile("Confidence", f"{100 * (1 - verdict.alpha):g} %", bound, "")]


def _tile(title: str, figure: str, explanation: str, tone: str) -> Html:
    """Return one figure with its explanation."""
    return element(
        "div",
        element("h3", title),
        element("strong", figure),
        element("span", explanation),
        class_=f"tile {tone}".rstrip(),
    )
