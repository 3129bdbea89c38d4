"""MkDocs hook: tables that are made from the code, so that no page repeats by hand what the code says.

A page names a table by an HTML comment, such as ``<!-- table: options -->``, and the table takes its place.
"""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# The site is built without installing the package: these modules need nothing but Python.
sys.path.insert(0, str(Path(__file__).parents[1]))

from docs.messages.tables import TABLES as MESSAGES
from docs.messages.tables import messages_table
from freezebench.config.options import OPTIONS
from freezebench.meters.metrics import METRICS
from freezebench.specs.presets import PRESETS
from freezebench.specs.strategies import STRATEGIES, strategy_class

_PLACEHOLDER = re.compile(r"<!-- table: ([a-z-]+) -->")


def options_table() -> str:
    """Return every option with its value, its ini key, and what it does."""
    rows = [
        (
            f"`{option.flag}`" if option.is_switch else f"`{option.flag}={option.metavar}`",
            f"`{option.ini}`",
            f"`{option.name}`" if not option.session_wide else "–",
            option.help.replace("|", "/"),
        )
        for option in OPTIONS
    ]
    return _table(("option", "ini key", "marker argument", "meaning"), rows)


def presets_table() -> str:
    """Return every preset with what it trains."""
    rows = [
        (
            f"`{preset.name}`",
            preset.summary,
            f"`{preset.model}`",
            f"`{preset.data.source}`",
            str(preset.protocol.num_epochs),
            str(preset.protocol.batch_size),
            "yes" if preset.protocol.dropout else "no",
            "all" if preset.data.max_train is None else f"{preset.data.max_train:,}",
            str(preset.looks),
            f"`{preset.protocol.engine}`",
            f"`{preset.learning_rates}`",
            f"`{preset.max_drop}`" if preset.max_drop.numbers else "none",
        )
        for preset in PRESETS.values()
    ]
    headings = ("preset", "experiment", "model", "data", "epochs", "batch", "dropout", "training sentences")
    return _table((*headings, "seeds", "engine", "learning rate", "limits"), rows)


def metrics_table() -> str:
    """Return every metric with its unit, and how several figures become one."""
    rows = [
        (
            f"`{metric.name}`",
            metric.unit,
            metric.label,
            metric.better or "–",
            metric.over_seeds,
            metric.over_windows,
            metric.footnote,
        )
        for metric in METRICS.values()
    ]
    return _table(("reading", "unit", "label", "better", "over seeds", "over epochs", "note"), rows)


def strategies_table() -> str:
    """Return every strategy of freezebench with its arguments, what trains, its usual rate and its source."""
    rows = []
    for name in STRATEGIES:
        strategy = strategy_class(name)
        rate = "as `none`" if strategy.rate_factor == 1 else f"{strategy.rate_factor:g} times"
        rate += f": {strategy.rate_source}" if strategy.rate_source else ""
        rows.append((f"`{strategy.usage().replace('|', '/')}`", strategy.summary, strategy.kind, rate, strategy.source))
    return _table(("strategy, with its defaults", "what trains", "kind", "usual rate", "source"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "metrics": metrics_table,
    "options": options_table,
    "presets": presets_table,
    "strategies": strategies_table,
    **{f"messages-{name}": partial(messages_table, name) for name in MESSAGES},
}


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def on_page_markdown(markdown: str, **_context: object) -> str:
    """Return a page's text with its tables filled in; MkDocs calls this for every page."""
    return _PLACEHOLDER.sub(lambda match: TABLES[match[1]](), markdown)
