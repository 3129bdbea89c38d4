"""The glossary and the page of the terminal: every word of tables and verdicts is explained, and easy to find."""

from __future__ import annotations

import re

import pytest

from freezebench.report.columns import COLUMNS
from freezebench.verdicts.vocabulary import EXCEEDED, STANDINGS, VERDICTS
from snippets import PAGES, ROOT

GLOSSARY = ROOT / "docs/reference/glossary.md"
ENTRIES = dict(re.findall(r"^## (.+) \{ #[\w-]+ \}\n\n((?:.+\n)+)", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE))
ANCHORS = re.findall(r"^## .+ \{ #([\w-]+) \}$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)


def test_terms_are_in_alphabetical_order() -> None:
    """With one anchor each, which links name."""
    assert list(ENTRIES) == sorted(ENTRIES, key=str.lower)
    assert len(set(ANCHORS)) == len(ANCHORS) == len(ENTRIES)


@pytest.mark.parametrize("term", ENTRIES)
def test_an_explanation_is_short(term: str) -> None:
    """One or two sentences, and a link to where there is more."""
    text = re.sub(r"See\s\[[^\]]*\]\([^)]*\)\.", "", " ".join(ENTRIES[term].split()))
    assert 1 <= len(re.findall(r"[.!?](?: |$)", text)) <= 3, text


def test_every_word_for_a_verdict_is_explained() -> None:
    """As tables and messages show them."""
    terms = (*VERDICTS.values(), *STANDINGS.values(), EXCEEDED)
    assert {term.word.lower() for term in terms} <= set(ENTRIES)


def test_links_to_terms_lead_somewhere() -> None:
    """From all pages."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        names = re.findall(r"glossary\.md#([\w-]+)", text)
        names += re.findall(r"\]\(#([\w-]+)\)", text) if page == GLOSSARY else []
        assert set(names) <= set(ANCHORS), page


def test_every_heading_of_the_table_is_explained() -> None:
    """On the page of the terminal, whose first cells have the words of the headings."""
    text = (ROOT / "docs/reference/terminal.md").read_text(encoding="utf-8")
    cells = " ".join(re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE))
    for column in COLUMNS:
        heading = " ".join(column.short_heading or (column.heading,)).partition("[")[0]
        words = re.findall(r"[A-Za-z0-9][\w.-]+", re.sub(r"\{[^}]*\}", " ", heading))
        assert column.page_only or all(word.strip(".") in cells for word in words), heading
