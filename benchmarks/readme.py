r"""Put the answer, the table and the picture of a real session into the README.

The session fine-tunes the embedded checkpoint on a sample of SST-2. Run it on a machine that does nothing else, so that
times count. ``../my-sst2`` is a folder with the three files of SST-2 (``SetFit/sst2`` on the Hub):

    pytest benchmarks --freeze-data=../my-sst2 --freeze-max-train=2000 --freeze-lr=1e-4 --freeze-tune-lr=0.5,1,3,10 \
        --freeze-num-seeds=3,5 --freeze-report=build/readme
    python benchmarks/readme.py build/readme
"""

from __future__ import annotations

import argparse
import html
import re
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from recorded import replace_block, write_pictures
from tabulate import tabulate

from freezebench.report.experiment import read_experiments
from freezebench.report.picture import Picture
from freezebench.report.plots.accuracy import drops
from freezebench.report.terminal_summary import summary_lines, title_line
from freezebench.verdicts.vocabulary import verdict_term

if TYPE_CHECKING:
    from freezebench.report.experiment import Experiment
    from freezebench.report.rows import Row

_LABEL = "Recorded output"
_WIDTH = 80
_TABLE = re.compile(r"(?<=<!-- recorded table -->\n).*?(?=<!-- end of the recorded table -->)", re.DOTALL)
_ALT = re.compile(r'(?<=alt=")[^"]*')
_HEADER = ("frozen", "drop in accuracy, points", "at 2 points", "trains faster", "peak memory", "trained share")


def answer(experiment: Experiment) -> str:
    """Return the first paragraph of the summary, as a terminal of 80 columns shows it."""
    title = f" {title_line(experiment.summary, _WIDTH - 2)} ".center(_WIDTH, "=")
    lines = ["".join(text for text, _ in line) for line in summary_lines(experiment.summary, _WIDTH)]
    return "\n".join([title, *takewhile(bool, lines)])


def table(experiment: Experiment) -> str:
    """Return the most asked figures of every configuration as a table in Markdown."""
    lines = [_cells(row) for row in experiment.rows]
    align = ("left", "right", "left", "right", "right", "right")
    return tabulate(lines, _HEADER, tablefmt="pipe", colalign=align, disable_numparse=True)


def _cells(row: Row) -> list[str]:
    """Return one line of the table; a figure that was not measured has no text."""
    drop = "" if row.drop_pp is None else f"{row.drop_pp:+.1f} [{row.lower_pp:+.1f}, {row.upper_pp:+.1f}]"
    speedup = "" if row.speedup is None else f"{row.speedup:.2f}×"
    memory = "" if row.peak_memory_bytes is None else f"{row.peak_memory_bytes / 2**30:.2f} GiB"
    share = "" if row.trainable_fraction is None else f"{100 * row.trainable_fraction:.1f} %"
    return [f"`{row.freeze}`", drop, verdict_term(row.verdict).word, speedup, memory, share]


def main() -> None:
    """Write the picture, and replace answer and table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("report", type=Path, help="a folder that --freeze-report wrote")
    parser.add_argument("--page", type=Path, default=Path("README.md"))
    parser.add_argument("--pictures", type=Path, default=Path("docs/pictures"))
    arguments = parser.parse_args()
    (experiment,) = read_experiments(arguments.report)
    drawn = drops(experiment)
    if not isinstance(drawn, Picture):
        raise SystemExit(f"there is no picture: {drawn.reason}. Look at the output, and run the session again.")
    write_pictures(drawn, arguments.pictures, "readme")
    records = experiment.records
    date = max(record.started_at for record in records)[:10]
    title = f"{_LABEL}: {records[0].device_name}, {date}"
    replace_block(arguments.page, _LABEL, title, answer(experiment))
    text = arguments.page.read_text(encoding="utf-8")
    text = _TABLE.sub(lambda _: f"\n{table(experiment)}\n\n", text)
    text = _ALT.sub(lambda _: html.escape(drawn.alt), text, count=1)
    arguments.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
