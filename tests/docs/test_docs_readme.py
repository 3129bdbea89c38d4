"""The README: what a stranger reads first is short, recorded, and works; the citation is that of this version."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

import freezebench
from experiments import results, settings
from freezebench.config.session_settings import SessionSettings
from freezebench.report.publish import write_report
from freezebench.report.summary import summarize
from snippets import ROOT, of_language

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(str(ROOT / "benchmarks"))
    import readme

if TYPE_CHECKING:
    from pathlib import Path

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_is_short() -> None:
    """It leads to the docs instead of repeating them."""
    assert len(README.splitlines()) <= 200


def test_the_readme_names_the_two_commands() -> None:
    """Word for word: people and programs copy them."""
    commands = [block.text.strip() for block in of_language("sh") if block.page == "README.md"]
    assert commands[:2] == [
        "python -m pip install tox && tox run -e bench",
        "python -m pip install tox && tox run -e tests",
    ]


def test_the_picture_is_there_for_light_and_dark_pages() -> None:
    """With its content in words."""
    named = re.findall(r'(?:srcset|src)="([^"]+)"', README)
    assert [(ROOT / name).is_file() for name in named] == [True, True]
    (words,) = re.findall(r'alt="([^"]+)"', README)
    assert len(words) > 80


def test_answer_table_and_picture_are_made_from_a_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script replaces all three, and says where and when the session ran."""
    asked = settings()
    write_report(tmp_path, [(asked, summarize(results(), asked))], SessionSettings(), with_page=False)
    page = tmp_path / "README.md"
    page.write_text(README, encoding="utf-8")
    arguments = [str(tmp_path), f"--page={page}", f"--pictures={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["readme.py", *arguments])
    readme.main()
    text = page.read_text(encoding="utf-8")
    assert 'title="Recorded output: a GPU, ' in text
    assert re.search(r"^=+ freezebench: tiny on made-up =+\nFreeze ", text, re.MULTILINE)
    line = next(line for line in text.splitlines() if line.startswith("| `emb` "))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == ["`emb`", "-0.5 [-1.1, +0.1]", "non-inferior", "2.00×", "3.00 GiB", "70.0 %"]
    assert "emb -0.5 [-1.1, +0.1]" in re.findall(r'alt="([^"]+)"', text)[0]
    assert {path.name for path in tmp_path.glob("*.svg")} == {"readme-light.svg", "readme-dark.svg"}


def test_the_citation_is_that_of_this_version() -> None:
    """With the keys that the format requires, and the notebook that freezebench grew from."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] == freezebench.__version__
    (notebook,) = citation["references"]
    assert notebook["url"] in README
