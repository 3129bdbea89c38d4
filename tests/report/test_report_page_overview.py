"""The first section of a page about several experiments."""

from __future__ import annotations

import re
from dataclasses import replace

import hostile
from freezebench.report.overview.overview import overview
from freezebench.report.page.page import page
from freezebench.report.picture import Picture
from studies import mixed_answers, one, two_by_two, uneven

_FRONT = Picture(name="together_front", title="Front", caption="how to read", alt="in words", svg="<svg/>", png=b"")


def test_the_sentence_is_the_headline_and_rows_lead_to_the_experiments() -> None:
    """Sentence, rows, matrix, front and picture precede what changed and the experiments themselves."""
    experiments = two_by_two()
    shown = overview(experiments)
    assert shown is not None
    content = page(experiments, [[]] * 4, [_FRONT])
    parts = (
        f'<h2 class="headline">{shown.sentence}</h2>',
        '<a href="#experiment-1">1: large on reviews</a>',
        "Costs are those of one device model: a CPU of two cores.",
        "Deepest safe prefix, and the share of the layers that it freezes",
        "<h3>Joint Pareto front</h3>",
        "how to read",
        "<h2>What changed</h2>",
        'id="experiment-1"',
    )
    positions = [content.index(part) for part in parts]
    assert positions == sorted(positions)
    for row in shown.rows:
        assert f'id="experiment-{row.number}"' in content


def test_a_single_experiment_has_no_overview() -> None:
    """Its page begins with its own answer."""
    content = page(one(), [[]])
    assert "Joint Pareto front" not in content
    assert "What changed" not in content


def test_answers_have_a_sign_and_a_class_of_their_own() -> None:
    """Colour is never the only difference."""
    content = page(mixed_answers(), "no pictures")
    cells = re.findall('<td data-value="[^"]*" class="word good">(.*?)</td>|<span class="(.*?)">(.*?)</span>', content)
    assert ("", "good", "✓ emb+L0-1, 33 %") in cells
    assert ("", "bad", "! baseline invalid") in cells
    assert ("", "unsure", "? inconclusive") in cells
    assert ("", "faint", "no experiment") in cells
    assert ("✓ emb+L0-1", "", "") in cells


def test_what_cannot_be_compared_is_said_once() -> None:
    """Experiments on another model or other data are listed with the reason."""
    content = page(uneven(), "no pictures")
    assert content.count("Not compared line by line: 1 with ") == len(
        set(re.findall("Not compared line by line: 1 with [0-9, ]+: (.*?)</p>", content))
    )


def test_hostile_names_are_text() -> None:
    """The page has the elements of the page of harmless names."""
    first, *others = two_by_two()
    pages = [
        page(
            [replace(first, settings={**first.settings, "model": name, "data": {"source": name}}), *others],
            "no pictures",
        )
        for name in ('"><script>alert(1)</script>', "harmless")
    ]
    hostile.check_html(*pages)
