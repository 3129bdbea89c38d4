"""Tables that are made from the code, so that no page repeats by hand what the code says.

A page names a table by an HTML comment, such as ``<!-- table: options -->``, and the table follows it, up to
``<!-- end of table -->``. This writes all tables anew::

    python docs/tables.py

MkDocs calls this module as a hook, so that the site has the current tables in any case.
"""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezebench.specs.grid import PerSpec

# The site is built without installing the package: these modules need nothing but Python.
sys.path.insert(0, str(Path(__file__).parents[1]))

from docs.messages.tables import BREAK, messages_table
from docs.messages.tables import TABLES as MESSAGES
from docs.option_groups import option_groups, option_sections
from docs.schemas.tables import keys_table, sections
from freezebench.meters.metrics import COST_METRICS
from freezebench.specs.presets import PRESETS
from freezebench.specs.strategies import STRATEGIES, strategy_class

_DOCS = Path(__file__).parent
_TABLE = re.compile(r"(<!-- table: ([a-z0-9-]+) -->)(?:(?:(?!<!-- table: ).)*?<!-- end of table -->)?", re.DOTALL)


def preset_list(name: str) -> str:
    """Return the settings of a preset as a list."""
    preset = PRESETS[name]
    entries = {
        "model": f"`{preset.model}`",
        "data": f"`{preset.data.source}`",
        "training sentences": "all" if preset.data.max_train is None else f"{preset.data.max_train:,}",
        "epochs": str(preset.protocol.num_epochs),
        "batch size": str(preset.protocol.batch_size),
        "learning rate": _spaced(preset.learning_rates),
        "dropout": "yes" if preset.protocol.dropout else "no",
        "engine": f"`{preset.protocol.engine}`",
        "seeds": str(preset.looks),
        "limits": _spaced(preset.max_drop) if preset.max_drop.numbers else "none",
    }
    summary = f"{preset.summary[0].upper()}{preset.summary[1:]}."
    return "\n".join([summary, "", *(f"- {what}: {value}" for what, value in entries.items())])


def _spaced(numbers: PerSpec) -> str:
    """Return numbers per configuration as code, with places at which the line may be broken."""
    return ", ".join(f"`{entry}`" for entry in str(numbers).split(","))


def metrics_table() -> str:
    """Return every metric with its unit, and how several figures become one."""
    rows = []
    for metric in COST_METRICS.values():
        better = f"{metric.better} is better" if metric.better else "neither direction is better"
        combined = f"{better}; seeds: {metric.over_seeds}; epochs: {metric.over_windows}"
        note = f". {metric.footnote}" if metric.footnote else ""
        rows.append((f"`{metric.name}`<br>in {metric.unit}", f"{metric.label}{note}<br>{combined}"))
    return _table(("reading", "meaning"), rows)


def strategies_table() -> str:
    """Return every strategy of freezebench with its arguments, what trains, its usual rate and its source."""
    rows = []
    for name in STRATEGIES:
        strategy = strategy_class(name)
        rate = "that of `none`" if strategy.rate_factor == 1 else f"{strategy.rate_factor:g} times that of `none`"
        rate += f" ({strategy.rate_source})" if strategy.rate_source else ""
        usage = strategy.usage().replace("|", "/")
        defaults = f"with its defaults: `{usage}`<br>" if usage != name else ""
        facts = f"{defaults}kind: {strategy.kind}<br>usual rate: {rate}<br>source: {strategy.source}"
        rows.append((f"`{name}`", f"{strategy.summary}<br>{facts}"))
    return _table(("strategy", "what trains"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "metrics": metrics_table,
    "option-groups": option_groups,
    "options": option_sections,
    "report-keys": partial(keys_table, "report.schema.json"),
    "report-objects": partial(sections, "report.schema.json"),
    "store-keys": partial(keys_table, "store.schema.json"),
    "strategies": strategies_table,
    **{f"preset-{name}": partial(preset_list, name) for name in PRESETS},
    **{f"messages-{name}": partial(messages_table, name) for name in MESSAGES},
}


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def on_page_markdown(markdown: str, **_context: object) -> str:
    """Return a page's text with its tables made anew; MkDocs calls this for every page.

    Long words may be broken on the site. In the files they are whole, so that a search finds them.
    """
    return _with_tables(markdown).replace(BREAK, "<wbr>")


def page_text(markdown: str) -> str:
    """Return a page's text with its tables made anew, as its file has it."""
    return _with_tables(markdown).replace(BREAK, "")


def _with_tables(markdown: str) -> str:
    return _TABLE.sub(lambda match: f"{match[1]}\n\n{TABLES[match[2]]().strip()}\n\n<!-- end of table -->", markdown)


def main() -> None:
    """Write the tables of all pages anew."""
    for page in _DOCS.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        page.write_text(page_text(text), encoding="utf-8")


if __name__ == "__main__":
    main()
