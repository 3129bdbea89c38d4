"""Make the pictures and tables of the explanations from the reports of real sessions.

One session has the whole ladder, trained on a machine that does nothing else. Another may have one configuration with
more seeds, and runs that trained beside other programs:

    python benchmarks/doc_pictures.py build/ladder docs --seeds=build/seeds --peers=build/peers.json

The last file has the runs of ``benchmarks/peers.py``, which gives a table alone.

Pictures are written to ``docs/pictures``, for light and for dark pages. In the pages of ``docs/explanation`` that show
them, the alternative text of the picture and the table below it are replaced.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from accuracy_pictures import compared, intervals, most_divided, one_seed, outcomes
from recorded import replace_block, show_picture
from time_pictures import against_trainer, busy_machine, epochs_of, prefix_cache

from freezebench.report.experiment import read_experiments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezebench.report.experiment import Experiment
    from freezebench.report.picture import Picture

PAGES = {
    "one-seed": "why-one-seed-is-not-enough.md",
    "outcomes": "crossed-intervals.md",
    "intervals": "crossed-intervals.md",
    "prefix-cache": "prefix-cache.md",
    "busy-machine": "busy-machine.md",
}


def pictures(ladder: Experiment, seeds: Experiment) -> Iterator[tuple[Experiment, Picture, str]]:
    """Yield every picture that the reports have figures for, with its session and the table below it.

    Args:
        ladder: A session of several configurations.
        seeds: A session of several seeds; of its configurations, the one is shown whose seeds disagree most.
    """
    shown = most_divided(compared(seeds), seeds.margin_pp)
    yield seeds, *one_seed(shown, seeds.margin_pp)
    yield seeds, *outcomes(shown)
    yield ladder, *intervals(compared(ladder), shown, ladder.margin_pp)
    yield ladder, *prefix_cache(ladder)
    # Reports of version 0.1 have no shares of waiting.
    if epochs := epochs_of(seeds):
        yield seeds, *busy_machine(epochs)


def main() -> None:
    """Write pictures and tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ladder", type=Path, help="report of the ladder: a folder that --freeze-report wrote")
    parser.add_argument("docs", type=Path, help="folder of the documentation")
    parser.add_argument("--seeds", type=Path, help="report of more seeds (default: that of the ladder)")
    parser.add_argument("--peers", type=Path, help="file that benchmarks/peers.py --output wrote")
    arguments = parser.parse_args()
    ladder, seeds = (read_experiments(path)[0] for path in (arguments.ladder, arguments.seeds or arguments.ladder))
    explanation = arguments.docs / "explanation"
    for experiment, drawn, table in pictures(ladder, seeds):
        show_picture(explanation / PAGES[drawn.name], drawn, arguments.docs / "pictures")
        last = max(experiment.records, key=lambda record: record.started_at)
        _record(explanation / PAGES[drawn.name], drawn.title, last.started_at, last.device_name, table)
    if arguments.peers:
        runs = json.loads(arguments.peers.read_text(encoding="utf-8"))
        last_run = [run for run in runs if run["side"] == "cached"][-1]
        table = against_trainer(runs)
        _record(explanation / "engines.md", "Wall times", last_run["started_at"], last_run["device_name"], table)


def _record(page: Path, title: str, started_at: str, device_name: str, table: str) -> None:
    """Put a table into the block of a page that has its title, with the date and the machine of its runs."""
    label = f"Recorded output: {title}"
    replace_block(page, label, f"{label}, {started_at[:10]}, {device_name}", table)


if __name__ == "__main__":
    main()
