"""Pages: README and docs lead to each other, and their tables are made from the code."""

from __future__ import annotations

import importlib
import importlib.util
import re
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

import freezebench
from freezebench.meters.metrics import COST_METRICS
from freezebench.scoring.metrics import METRICS
from freezebench.specs.presets import PRESETS
from freezebench.specs.strategies import STRATEGIES, strategy_class
from snippets import BLOCKS, PAGES, ROOT

if TYPE_CHECKING:
    from types import ModuleType


def test_every_block_has_a_rule() -> None:
    """A block in a language that no test below checks would be a snippet that nothing executes."""
    checked = {"python", "sh", "yaml", "ini", "toml", "json", "text", "bash", "console", "yml", "csv", "conll"}
    assert [str(block) for block in BLOCKS if block.language not in checked] == []


def test_no_code_hides_in_indented_blocks() -> None:
    """Markdown also takes four spaces for code, which the other tests would not see."""
    for page in PAGES:
        tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
        lines = [token.map[0] + 1 for token in tokens if token.type == "code_block" and token.map]
        # mkdocstrings takes its options from an indented block.
        text = page.read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if not text[line - 2].startswith(":::")] == [], page


def test_links_between_pages_lead_somewhere() -> None:
    """MkDocs checks the links inside docs; those of README and the other pages at the top are checked here."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if "://" not in target and not target.startswith("mailto:"):
                assert (page.parent / target).exists(), f"{page}: {target}"


def test_named_files_exist() -> None:
    """CONTRIBUTING leads to files and folders of the repository; the names in capitals are defined there."""
    for line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines():
        for name in re.findall(r"`((?:freezebench|tests|benchmarks|docs)/[\w./]*)`", line):
            assert (ROOT / name).exists() or name.endswith(("x/y.py", "x_y.py")), name
        for symbols, name in re.findall(r"((?:`\w+`(?:, | or | in ))+)`([\w./]+\.py)`", line):
            text = (ROOT / name).read_text(encoding="utf-8")
            for symbol in re.findall(r"\w+(?=`)", symbols):
                assert re.search(rf"^(def |class )?{symbol}\b", text, re.MULTILINE), symbol


def test_documented_names_exist() -> None:
    """Names that the site documents from their docstrings are where the pages say."""
    for page in PAGES:
        for name in re.findall(r"^::: ([\w.]+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            module, _, attribute = name.rpartition(".")
            assert hasattr(importlib.import_module(module), attribute), f"{page}: {name}"


def test_every_public_name_is_documented() -> None:
    """In the reference of the Python interface."""
    text = (ROOT / "docs/reference/api.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^::: freezebench\.(\w+)$", text, re.MULTILINE)) == set(freezebench.__all__)


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    """The hook that fills in tables when the site is built."""
    spec = importlib.util.spec_from_file_location("docs_tables", ROOT / "docs" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_of_all_pages_are_current(tables: ModuleType) -> None:
    """They can be read in the repository, where nothing fills them in. ``python docs/tables.py`` writes them anew."""
    pages = {page: page.read_text(encoding="utf-8") for page in PAGES}
    assert [page for page, text in pages.items() if tables.page_text(text) != text] == []


def test_the_page_of_presets_shows_every_preset(tables: ModuleType) -> None:
    """In a section of its own, with its model, its data and its number of epochs."""
    page = tables.on_page_markdown((ROOT / "docs/reference/presets.md").read_text(encoding="utf-8"))
    for preset in PRESETS.values():
        section = page.partition(f"## `{preset.name}` {{ #{preset.name} }}\n")[2].partition("\n## ")[0]
        for fact in (
            f"model: `{preset.model}`",
            f"data: `{preset.data.source}`",
            f"epochs: {preset.protocol.num_epochs}",
        ):
            assert f"- {fact}\n" in section


def test_the_page_of_freeze_specs_shows_every_strategy(tables: ModuleType) -> None:
    """With its arguments, its usual rate and its source; no row is written by hand."""
    text = (ROOT / "docs/reference/freeze-specs.md").read_text(encoding="utf-8")
    lines = tables.on_page_markdown(text).splitlines()
    for name in STRATEGIES:
        strategy = strategy_class(name)
        row = next(line for line in lines if line.startswith(f"| `{name}` |"))
        assert f"| {strategy.summary}<br>" in row
        assert f"`{strategy.usage().replace('|', '/')}`" in row
        assert row.count("|") == 3
        assert row.endswith(f"source: {strategy.source} |")


def test_the_page_of_metrics_shows_every_metric(tables: ModuleType) -> None:
    """With its unit and its label."""
    page = tables.on_page_markdown((ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8"))
    for metric in COST_METRICS.values():
        assert f"| `{metric.name}`<br>in {metric.unit} | {metric.label}" in page


def test_the_page_of_metrics_shows_every_metric_that_judges() -> None:
    """With the unit of its drop, the tasks that have it, and what is usual for each."""
    text = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in text.splitlines() if re.match(r"\| `[a-z0-9-]+` \| .*\|", line)}
    words = {
        "sequence-classification": "classification",
        "multi-label": "several labels",
        "token-classification": "tokens",
        "regression": "regression",
    }
    units = {"points": "points", "nats": "nats", "label units": "units of the label"}
    judging = {name: row for name, row in rows.items() if name in METRICS}
    assert set(judging) == set(METRICS)
    for name, metric in METRICS.items():
        tasks = ", ".join(words[task] for task in metric.tasks)
        assert judging[name].endswith(f"<br>for {tasks}; drop in {units[metric.unit]} |"), name
        assert metric.higher_is_better or "lower is better" in judging[name], name
