"""The page: answer, table, pictures and evidence in one HTML file that loads nothing."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING

from freezebench.report.overview.overview import overview
from freezebench.report.page.answer import answer
from freezebench.report.page.data_card import data_card
from freezebench.report.page.markup import Html, element, joined, section
from freezebench.report.page.notebook_comparison import published_figures
from freezebench.report.page.overview import overview_section
from freezebench.report.page.results_table import results_table
from freezebench.report.page.sections import (
    environment,
    footnotes,
    last_lines,
    memory_used,
    pictures,
    protocol,
    reproduce,
    subsets,
    taken_out,
    time_spent,
)
from freezebench.report.page.side_by_side import side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.experiment import Experiment
    from freezebench.report.picture import Missing, Picture

NO_MATPLOTLIB = (
    "The pictures need matplotlib, which is not installed here. Install it with: "
    "python -m pip install 'freezebench[report]'; then: python -m freezebench report DIR"
)


def page(
    experiments: Sequence[Experiment],
    drawn: Sequence[Sequence[Picture | Missing]] | str,
    common: Sequence[Picture | Missing] | None = None,
) -> str:
    """Return the report as one HTML page.

    Args:
        experiments: At least one experiment.
        drawn: Pictures of every experiment, in the same order, or why there are none.
        common: Pictures that show several experiments.
    """
    style, script = _resource("page.css"), _resource("page.js")
    bodies = [
        _experiment(experiment, drawn if isinstance(drawn, str) else drawn[index], number=index + 1)
        for index, experiment in enumerate(experiments)
    ]
    # What several experiments have in common is the answer, so it comes first.
    shown = overview(experiments)
    if shown is not None:
        bodies = [overview_section(shown, common), side_by_side(experiments), *bodies]
    title = f"freezebench report: {', '.join(dict.fromkeys(experiment.model for experiment in experiments))}"
    head = joined(
        [
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("title", title),
            element("style", Html(style)),
        ]
    )
    body = element("body", element("main", *bodies), element("script", Html(script)))
    return f"<!doctype html>\n{element('html', element('head', head), body, lang='en')}\n"


def _experiment(experiment: Experiment, drawn: Sequence[Picture | Missing] | str, *, number: int) -> Html:
    """Return the part of the page about one experiment."""
    main, _, setting = experiment.summary.title.partition("; ")
    source = f" · {experiment.source}" if experiment.source else ""
    forest_plot, others = taken_out([] if isinstance(drawn, str) else drawn, "drop")
    test_sets, others = taken_out(others, "test_sets")
    return element(
        "article",
        element("header", element("h1", f"freezebench report · {main}{source}"), element("p", setting)),
        answer(experiment, forest_plot),
        section("Figures", results_table(experiment)),
        last_lines(experiment),
        subsets(experiment, test_sets),
        published_figures(experiment),
        section("Pictures", element("p", drawn) if isinstance(drawn, str) else pictures(others)),
        footnotes(experiment),
        time_spent(experiment),
        memory_used(experiment),
        data_card(experiment),
        protocol(experiment),
        environment(experiment),
        reproduce(experiment),
        id=f"experiment-{number}",
    )


def _resource(name: str) -> str:
    return resources.files("freezebench.report.page").joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Return the content security policy: this style, this script, images in the page, nothing else."""
    # Hashes allow exactly these two texts. A script that came in with a name or a sentence would have another hash.
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(content.encode()).digest()).decode("ascii") for content in (style, script)
    )
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}'; "
        "base-uri 'none'; form-action 'none'"
    )
