"""Pictures: each is there for light and for dark pages, small, described in words, and made from a report."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

import made_up
from freezebench.report.experiment import read_experiments
from snippets import PAGES, ROOT

if TYPE_CHECKING:
    from freezebench.records.run_record import RunRecord

DOCS = ROOT / "docs"
REPORT = ROOT / "tests/fixtures/v0.1"
MAX_BYTES = 60_000
FEWEST_WORDS = 8
# The text in the brackets, the file, its stem and its theme.
_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)]*?pictures/([\w-]+)-(light|dark)\.svg)(#only-\w+)?\)")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import the script."""
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import doc_pictures

    return doc_pictures


def test_pages_show_their_pictures_in_both_themes() -> None:
    """One after the other, each in its theme alone, with the same words; no picture is there that no page shows."""
    shown = set()
    for page in (page for page in PAGES if page.is_relative_to(DOCS)):
        text = page.read_text(encoding="utf-8")
        assert "<img" not in text, f"{page}: MkDocs does not rewrite the address in HTML"
        images = _IMAGE.findall(text)
        assert [image[3] for image in images] == ["light", "dark"] * (len(images) // 2), page
        for light, dark in zip(images[::2], images[1::2], strict=True):
            assert (light[0], light[2]) == (dark[0], dark[2]), page
            assert (light[4], dark[4]) == ("#only-light", "#only-dark"), page
            assert len(light[0].split()) >= FEWEST_WORDS, f"{page}: say what is to be seen in {light[2]}"
            shown |= {(page.parent / name).resolve() for name in (light[1], dark[1])}
    in_readme = {
        ROOT / path for path in re.findall(r"docs/pictures/[\w-]+\.svg", (ROOT / "README.md").read_text("utf-8"))
    }
    assert set((DOCS / "pictures").iterdir()) == shown | in_readme


@pytest.mark.parametrize("path", sorted((DOCS / "pictures").glob("*-light.svg")), ids=lambda path: path.stem)
def test_pictures_are_small_and_differ_in_colours_alone(path: Path) -> None:
    """They load quickly, and dark pages show the same as light ones."""
    light, dark = (file.read_text(encoding="utf-8") for file in (path, Path(str(path).replace("-light", "-dark"))))
    assert max(len(light), len(dark)) < MAX_BYTES
    assert ET.fromstring(light).tag.endswith("svg")  # noqa: S314 - a file of this repository
    assert light != dark
    assert re.sub(r"#[0-9a-f]{6}\b", "", light) == re.sub(r"#[0-9a-f]{6}\b", "", dark)


def test_the_script_writes_pictures_and_tables(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts and tables of the pages are those of a report's runs; one of version 0.1 has no shares of waiting."""
    docs = tmp_path / "docs"
    shutil.copytree(DOCS / "explanation", docs / "explanation")
    monkeypatch.setattr("sys.argv", ["doc_pictures.py", str(REPORT), str(docs)])
    script.main()
    names = {"one-seed", "outcomes", "intervals", "prefix-cache"}
    assert {path.stem for path in (docs / "pictures").iterdir()} == {
        f"{name}-{theme}" for name in names for theme in ("light", "dark")
    }
    (experiment,) = read_experiments(REPORT)
    (result,) = (result for result in experiment.results if result.freeze == "emb+L0-4")
    assert result.verdict is not None
    one_seed, crossed, cache = (
        (docs / "explanation" / script.PAGES[name]).read_text("utf-8")
        for name in ("one-seed", "intervals", "prefix-cache")
    )
    verdict = result.verdict
    interval = f"{verdict.drop_pp:+5.1f} [{verdict.lower_pp:+5.1f}, {verdict.upper_pp:+5.1f}]"
    assert interval in crossed
    assert "3 seeds are below the margin of" in one_seed
    assert re.search(r"^emb\+L0-5 .* ms|^emb\+L0-5 .* s ", cache, re.MULTILINE)


def test_differences_of_seeds_and_sentences_are_counted(script: Any) -> None:
    """The table below the matrix has the drop of every seed, in sentences."""
    (experiment,) = read_experiments(REPORT)
    (result,) = (result for result in experiment.results if result.freeze == "emb+L0-5")
    outcomes, table = script.outcomes(result)
    for unfrozen, record in zip(result.baseline, result.records, strict=True):
        row = next(line.split() for line in table.splitlines() if line.startswith(f"{record.spec.seed} "))
        assert int(row[1]) - int(row[2]) == int(row[3]) == sum(unfrozen.test_correct) - sum(record.test_correct)
    assert "3 seeds" in outcomes.alt


def test_epochs_that_waited_are_told_apart(script: Any) -> None:
    """By the limit from which on times do not count; each is compared with the fastest of its configuration."""

    def run(freeze: str, *epochs: tuple[float, float]) -> RunRecord:
        made = made_up.record(freeze)
        shares = [replace(made.epochs[0], train_s=seconds, contended_share=share) for seconds, share in epochs]
        return replace(made, epochs=tuple(shares))

    runs = {"none": [run("none", (10.0, 0.01), (20.0, 0.5))], "emb": [run("emb", (4.0, 0.04), (5.0, 0.06))]}
    results = [SimpleNamespace(records=records) for records in runs.values()]
    epochs = script.epochs_of(SimpleNamespace(results=results))
    assert [(epoch.slowdown, epoch.counts) for epoch in epochs] == [(1, True), (2, False), (1, True), (1.25, False)]
    drawn, table = script.busy_machine(epochs)
    assert "2 of 4 epochs" in drawn.alt
    assert [line.split()[:4] for line in table.splitlines()[2:]] == [["up", "to", "5", "%"], ["past", "5", "%", "2"]]


def test_wall_times_are_compared_seed_by_seed(script: Any) -> None:
    """A slow minute of the machine concerns all sides of a seed, and not their ratio."""
    seconds = {42: 10.0, 43: 30.0, 44: 12.0}
    factors = {"cached": 1, "tuned": 2, "notebook": 5}
    runs = [
        {"side": side, "freeze": "emb", "seed": seed, "wall_s": factor * wall_s}
        for side, factor in factors.items()
        for seed, wall_s in seconds.items()
    ]
    row = script.against_trainer(runs).splitlines()[-1]
    assert row.split("  ")[0] == "emb"
    assert "12.0 s" in row
    assert "2.0 [2.0, 2.0]" in row
    assert "5.0 [5.0, 5.0]" in row
