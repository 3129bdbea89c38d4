"""The pictures, their reproducibility, and the reasons for missing ones."""

from __future__ import annotations

import io
import itertools
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

import hostile
import made_up
import made_up_tasks
import stories
from experiments import broken_experiment, experiment, not_run_experiment, on_gpu, partly_fixed_experiment
from freezebench.escaping import visible
from freezebench.report.contention import MARK
from freezebench.report.picture import DARK, LIGHT, Missing, Picture
from freezebench.report.plots import accuracy, costs, draw, draw_side_by_side, side_by_side, training
from freezebench.report.plots.costs import COSTS, trade_off
from freezebench.report.plots.style import in_lines, label_points

NAMES = [
    "drop",
    "tradeoff_time",
    "tradeoff_memory",
    "tradeoff_energy",
    "parameters",
    "metrics",
    "loss",
    "power_over_time",
    "memory_over_time",
]


@pytest.fixture(scope="module")
def drawn() -> dict[str, Picture]:
    """The pictures of an experiment where everything was measured."""
    pictures = draw(experiment())
    assert not [picture for picture in pictures if isinstance(picture, Missing)]
    return {picture.name: picture for picture in pictures if isinstance(picture, Picture)}


def test_everything_that_was_measured_is_drawn(drawn: dict[str, Picture]) -> None:
    """Each picture has SVG, PNG, a caption and a text alternative."""
    from PIL import Image

    assert list(drawn) == NAMES
    for picture in drawn.values():
        drawing = ET.fromstring(picture.svg)  # noqa: S314 - drawn here
        assert drawing.tag.endswith("svg")
        assert drawing[0].text == picture.title
        width, height = Image.open(io.BytesIO(picture.png)).size
        assert width == 1320, "a column's width at 300 dots per inch"
        assert height > 600
        assert picture.alt
        assert picture.caption


def test_pictures_say_in_words_what_they_show(drawn: dict[str, Picture]) -> None:
    """The interval of every configuration, and the configurations on the Pareto front."""
    assert "emb+L0-1 +19.2 [+16.0, +22.3]" in drawn["drop"].alt
    assert "Margin 2." in drawn["drop"].alt
    assert drawn["tradeoff_time"].alt.endswith("time: emb+L0, emb.")
    assert "emb 700" in drawn["parameters"].alt


def test_the_same_figures_give_the_same_bytes(drawn: dict[str, Picture]) -> None:
    """Files have neither dates nor random ids."""
    assert {picture.name: picture for picture in draw(experiment()) if isinstance(picture, Picture)} == drawn


def test_pictures_have_a_dark_version_with_the_same_data(drawn: dict[str, Picture]) -> None:
    """Only the colours of ink and paper differ."""
    picture = drawn["drop"]
    assert all(color in picture.svg for color in LIGHT[:4])
    light, dark = picture.data_uri(), picture.data_uri(dark=True)
    assert light.startswith("data:image/svg+xml;base64,")
    assert light != dark
    assert len(light) == len(dark)
    assert len(set(DARK) & set(LIGHT)) == 0


def test_what_was_not_measured_has_its_reason() -> None:
    """The reason is that of the meter."""
    missing = {
        picture.name: picture.reason for picture in draw(experiment(everything=False)) if isinstance(picture, Missing)
    }
    assert missing["tradeoff_energy"] == made_up.NO_RAPL
    assert made_up.NO_RAPL in missing["power_over_time"]
    assert "memory_over_time" in missing


def test_an_experiment_without_a_valid_run_has_reasons_only() -> None:
    """No picture is drawn."""
    pictures = draw(broken_experiment())
    assert [picture.name for picture in pictures] == NAMES
    assert all(isinstance(picture, Missing) and picture.reason for picture in pictures)


def test_one_seed_and_losses_that_are_not_finite_are_drawn() -> None:
    """Neither prevents a picture."""
    pictures = draw(experiment(num=1, step_losses=(0.7, float("nan"), 0.5)))
    assert all(isinstance(picture, Picture) for picture in pictures)


def test_formulas_and_markup_in_names_are_text() -> None:
    """A dollar starts no formula, a bracket no tag."""
    hostile = experiment(flags={"model": "$\\frac{<script>alert(1)</script>"})
    for picture in (*draw(hostile), *draw_side_by_side([hostile, hostile])):
        assert isinstance(picture, Picture)
        assert "<script>" not in picture.svg


def test_published_figures_are_drawn_for_the_notebook() -> None:
    """Other presets have no such picture."""
    reproduction = draw(experiment(flags={"preset": "notebook"}))[-1]
    assert isinstance(reproduction, Picture)
    assert reproduction.name == "published"
    assert "emb " in reproduction.alt


def test_several_experiments_are_drawn_together() -> None:
    """Front, drop and speed-up of all experiments, or the reason why not."""
    assert [picture.name for picture in draw_side_by_side([experiment(), experiment(everything=False)])] == [
        "together_front",
        "together_drop",
        "together_speedup",
    ]
    assert all(
        isinstance(picture, Missing) for picture in draw_side_by_side([broken_experiment(), broken_experiment()])
    )


def test_drawing_leaves_pyplot_and_settings_alone() -> None:
    """Other users of matplotlib in the process keep their figures and settings."""
    script = (
        "import sys, matplotlib; before = matplotlib.rcParams.copy()\n"
        "import experiments; from freezebench.report.plots import draw\n"
        "draw(experiments.experiment()); assert matplotlib.rcParams.copy() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd="tests")


def test_an_invalid_configuration_does_not_hide_the_others() -> None:
    """It is missing in the pictures, and the others are drawn."""
    from experiments import results, settings
    from freezebench.report.experiment import Experiment
    from freezebench.report.summary import summarize
    from freezebench.verdicts.judge import judge

    baseline = [on_gpu(record) for record in made_up.seeds("none")]
    broken = [replace(made_up.broken("emb+L0-1", seed), step_losses=(0.7, float("nan"))) for seed in (42, 43, 44)]
    judged = [*results()[:2], judge("emb+L0-1", broken, baseline, margin_pp=2.0, limit_pp=None)]
    pictures = draw(Experiment.of(settings(), summarize(judged, settings())))
    assert all(isinstance(picture, Picture) for picture in pictures)
    assert "emb+L0-1" not in pictures[0].alt if isinstance(pictures[0], Picture) else False


@pytest.mark.parametrize("num", [2, 8])
def test_labels_of_points_do_not_collide(num: int) -> None:
    """Points that lie close together have labels beside each other, inside of the frame."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4, 3.5))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    points = [(1 + 0.02 * index, 80 + 0.4 * (index % 3), f"emb+L0-{index}") for index in range(num)]
    axes.plot([x for x, *_ in points], [y for _, y, _ in points])
    axes.margins(0.3, 0.5)
    label_points(axes, points, [])
    figure.canvas.draw()
    assert [label.get_text() for label in axes.texts] == [text for *_, text in points]
    boxes = [label.get_window_extent() for label in axes.texts]
    assert not [pair for pair in itertools.combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    frame = axes.get_window_extent()
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 + 2 for box in boxes)


def test_labels_rather_cover_points_than_other_labels() -> None:
    """Two texts in one place cannot be read; a text over dots can."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4, 3.5))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_xlim(0, 10)
    axes.set_ylim(0, 10)
    dots = [(x / 10, y / 10) for x in range(20, 80, 2) for y in range(52, 62, 2)]
    label_points(axes, [(5, 5, f"emb+L0+lora {number}") for number in range(6)], dots)
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in axes.texts]
    assert not [pair for pair in itertools.combinations(boxes, 2) if pair[0].overlaps(pair[1])]


def test_metrics_that_no_run_recorded_are_named_once() -> None:
    """They have no empty box among the others."""
    drawn = training.metrics(experiment(everything=False))
    assert isinstance(drawn, Picture)
    assert drawn.caption.endswith("Not measured: steps per second.")
    assert "steps per second" not in drawn.alt


def test_contended_times_are_marked() -> None:
    """The picture of times says that they do not count; the one of memory does not."""
    drawn = {picture.name: picture for picture in draw(stories.contended()) if isinstance(picture, Picture)}
    for name in ("tradeoff_time", "metrics"):
        assert f"{MARK} trained on a busy machine, waiting for a processor in up to 41 % of the time" in (
            drawn[name].caption
        )
    assert MARK not in drawn["tradeoff_memory"].caption


def test_times_that_do_not_count_have_no_pareto_front() -> None:
    """Of all or of some configurations; the front of memory, which counts, is drawn."""
    shown = stories.contended()
    assert all(row.is_contended for row in shown.rows)
    time, memory = (trade_off(shown, cost) for cost in COSTS[:2])
    assert isinstance(time, Picture)
    assert isinstance(memory, Picture)
    assert "No Pareto front is drawn" in time.caption
    assert time.alt.startswith("train time (s) and test accuracy (%): none ")
    assert "Pareto front" not in time.svg.partition("</metadata>")[2]
    assert "Filled marks lie on the Pareto front" in memory.caption
    first, *others = shown.rows
    quiet = [replace(row, num_contended=0) for row in others]
    assert not any(row.is_contended for row in quiet)
    summary = replace(shown.summary, rows=(first, *quiet))
    partly = trade_off(replace(shown, summary=summary), COSTS[0])
    assert isinstance(partly, Picture)
    assert f"Those with {MARK} are left out of it." in partly.caption
    assert "none" not in partly.alt


def test_reasons_of_invalid_runs_are_the_same_everywhere() -> None:
    """The page can give the reason once."""
    reasons = {picture.reason for picture in draw(stories.all_invalid()) if isinstance(picture, Missing)}
    assert reasons == {"no configuration has valid runs"}


def test_shares_count_from_what_trains_without_freezing() -> None:
    """The caption and the axis say so; what was not run has no mark."""
    pictures = {picture.name: picture for picture in draw(partly_fixed_experiment())}
    parameters = pictures["parameters"]
    assert isinstance(parameters, Picture)
    assert parameters.caption == "Next to each bar: the share of the trainable parameters that still trains."
    assert parameters.alt == "Trainable parameters: none 800; emb+L0 200."
    together = draw_side_by_side([partly_fixed_experiment(), not_run_experiment()])
    assert [picture.name for picture in together if isinstance(picture, Picture)] == [
        "together_front",
        "together_drop",
        "together_speedup",
    ]


def test_an_experiment_in_which_nothing_was_run_has_reasons_only() -> None:
    """No picture of it fails."""
    assert all(isinstance(picture, Missing) for picture in draw(not_run_experiment()))


def test_hostile_names_are_drawn_as_text() -> None:
    """They make no formula and no warning, and the drawing stays XML; letters that the font lacks are boxes."""
    kinds = (
        "newline",
        "screen",
        "right to left",
        "zero byte",
        "lone surrogates",
        "noncharacters",
        "formula of TeX",
        "emoji",
    )
    shown = [replace(experiment(), settings={"model": hostile.HOSTILE[kind]}) for kind in kinds]
    for drawn in draw_side_by_side(shown):
        assert isinstance(drawn, Picture)
        ET.fromstring(drawn.svg)  # noqa: S314 - ours
        names = re.findall("<!-- [0-9]: (.*?) on unknown -->", drawn.svg)
        assert names == [visible(hostile.HOSTILE[kind]) for kind in kinds]


def test_pictures_are_about_the_metric() -> None:
    """Of a loss, lower is better: the front has what is both cheaper and lower."""
    shown = made_up_tasks.experiment("regression", "rmse", margin=0.1)
    drop, front, losses = accuracy.drops(shown), costs.trade_off(shown, costs.COSTS[0]), training.losses(shown)
    assert isinstance(drop, Picture)
    assert isinstance(front, Picture)
    assert isinstance(losses, Picture)
    assert (drop.title, front.title) == ("RMSE drop against no freezing", "RMSE against time")
    assert drop.alt.startswith("Drop in units of the label with its 90 % interval: emb -0.0")
    assert "drop of test RMSE (units of the label, right is worse)" in drop.svg
    assert front.alt == "On the Pareto front of RMSE and time: emb+L0, emb."
    assert "better by its RMSE" in front.caption
    assert "training loss (squared error)" in losses.svg


def test_small_multiples_have_the_metric_in_place_of_what_a_task_has_not() -> None:
    """Other tasks have no accuracy of sentences."""
    picture = training.metrics(made_up_tasks.experiment("token-classification"))
    assert isinstance(picture, Picture)
    assert picture.alt.startswith("test entity F1 (%), validation loss (nats), training loss (nats)")


def test_long_titles_of_small_multiples_are_wrapped() -> None:
    """On one line they would run into the title beside them."""
    picture = training.metrics(made_up_tasks.experiment("sequence-classification", "macro-f1"))
    assert isinstance(picture, Picture)
    drawing = picture.svg.partition("</metadata>")[2]  # the description before it has the whole title
    for title in ("test F1 of class 1, or macro (%)", "validation F1 of class 1, or macro (%)"):
        assert title not in drawing
        first, second = in_lines(title, 120).splitlines()
        assert f"{first} {second}" == title
        assert first in drawing
        assert second in drawing
    assert in_lines("test accuracy (%)", 120) == "test accuracy (%)"
    assert in_lines("W" * 60, 120) == "W" * 60


def test_drops_of_several_metrics_share_no_axis() -> None:
    """The reason names them."""
    shown = [
        made_up_tasks.experiment("multi-label"),
        made_up_tasks.experiment("regression", "rmse", margin=0.1),
    ]
    for drawing in (side_by_side.front(shown), side_by_side.drops(shown)):
        assert isinstance(drawing, Missing)
        assert drawing.reason == "drops of macro F1, RMSE are not comparable"
