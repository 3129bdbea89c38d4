r"""Compare freezing with other ways to train less on real data, and write table and picture for its page.

The embedded checkpoint is trained on the movie reviews of its preset, and on a sample of SST-2, with three seeds. Run
it on a machine that does nothing else, so that times count:

    python benchmarks/strategies.py build/strategies ../shared/data/sst2 --pictures=docs/pictures \
        --page=docs/how-to/strategies.md

With ``--no-training`` the report that is in the folder already is drawn again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from recorded import replace_block, write_pictures
from tabulate import tabulate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.experiment import Experiment
    from freezebench.report.rows import Row

from freezebench.report.experiment import read_experiments
from freezebench.report.picture import Picture
from freezebench.report.plots import side_by_side

_LABEL = "Recorded output: drop in points and speed-up"
_OUTPUT = "output.txt"


def train(folder: Path, sst2: str, options: list[str]) -> None:
    """Train all configurations on both data sets; the report and the output are in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pytest", "benchmarks/test_freeze_grid.py", "-p", "no:cacheprovider"]
    command += ["--freeze-grid=strategies", f"--freeze-data=reviews,{sst2}", "--freeze-max-train=500"]
    command += ["--freeze-tune-lr=0.33,1,3", "--freeze-dropout=no"]
    command += ["--freeze-num-seeds=3", f"--freeze-report={folder / 'report'}", f"--freeze-store={folder / 'store'}"]
    with (folder / _OUTPUT).open("wb") as output:
        # Exit code 1: some configuration is worse than its limit, which is a result.
        subprocess.run(  # noqa: S603 - own arguments
            [*command, *options],
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )


def compact_table(experiments: Sequence[Experiment]) -> str:
    """Return drop and speed-up of every configuration on each data set, as text."""
    rows = [{row.freeze: row for row in experiment.rows} for experiment in experiments]
    names = [Path(next(iter(experiment.records)).spec.data.source).name for experiment in experiments]
    header = ["configuration", *(f"{name}: drop, speed-up" for name in names), "trains"]
    lines = []
    for freeze, first in rows[0].items():
        cells = [f"{_drop(table[freeze])}  {_speedup(table[freeze])}" for table in rows]
        share = "" if first.trainable_fraction is None else f"{100 * first.trainable_fraction:.1f} %"
        lines.append([freeze, *cells, share])
    return tabulate(lines, header, colalign=("left", *["right"] * (len(rows) + 1)), disable_numparse=True)


def _drop(row: Row) -> str:
    """Return the drop in points with its interval."""
    if row.drop_pp is None:
        return "baseline"
    return f"{row.drop_pp:+.1f} [{row.lower_pp:+5.1f}, {row.upper_pp:+5.1f}]"


def _speedup(row: Row) -> str:
    return "  –  " if row.speedup is None else f"{row.speedup:4.1f}×"


def main() -> None:
    """Train, and write table and pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="store, report and output")
    parser.add_argument("sst2", help="folder of SST-2")
    parser.add_argument("--pictures", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--page", type=Path, required=True, help="page whose recorded table is replaced")
    parser.add_argument("--no-training", action="store_true", help="use the report that is there")
    arguments, options = parser.parse_known_args()
    if not arguments.no_training:
        train(arguments.folder, arguments.sst2, options)
    experiments = read_experiments(arguments.folder / "report")
    drawn = side_by_side.front(experiments)
    if not isinstance(drawn, Picture):
        raise SystemExit(f"there is no picture: {drawn.reason}. Look at the output, and run the script again.")
    write_pictures(drawn, arguments.pictures, "strategies")
    records = [record for experiment in experiments for record in experiment.records]
    date = max(record.started_at for record in records)[:10]
    replace_block(arguments.page, _LABEL, f"{_LABEL}: {records[0].device_name}, {date}", compact_table(experiments))


if __name__ == "__main__":
    main()
