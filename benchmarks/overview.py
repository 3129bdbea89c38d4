"""Train two models on two data sets, and write the overview and its picture for the documentation.

The second model has every second layer of the embedded checkpoint: a folder with its embeddings and its layers 1, 3 and
5, so that the two have different depths. Run it on a machine that does nothing else, so that times count:

    python benchmarks/overview.py build/overview --pictures=docs/pictures --page=docs/explanation/several-experiments.md

With ``--no-training`` the report that is in the folder already is drawn again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from recorded import replace_block, write_pictures

from freezebench import load_model
from freezebench.report.experiment import read_experiments
from freezebench.report.overview.overview import overview
from freezebench.report.picture import Picture
from freezebench.report.plots import side_by_side
from freezebench.report.terminal_overview import overview_lines
from freezebench.report.terminal_table import plain_text

KEPT_LAYERS = (1, 3, 5)
DATA = "reviews:products,reviews:tweets"
PROTOCOL = (
    "--freeze-max-train=300",
    "--freeze-max-length=32",
    "--freeze-epochs=3",
    "--freeze-lr=3e-4",
    "--freeze-dropout=no",
    "--freeze-num-seeds=3",
    # The test sets have hundreds of sentences, not thousands.
    "--freeze-margin=4",
)
_TERMINAL_WIDTH = 100
_LABEL = "Recorded output"


def save_half(folder: Path) -> Path:
    """Save every second layer of the embedded checkpoint as a checkpoint folder, and return the folder."""
    model, tokenizer = load_model("embedded", num_labels=2)
    # Without the head, so that every seed begins with a head of its own.
    encoder = model.distilbert
    layers = encoder.transformer.layer  # type: ignore[union-attr]
    for index in reversed(range(len(layers))):  # type: ignore[arg-type]
        if index not in KEPT_LAYERS:
            del layers[index]  # type: ignore[operator, union-attr]
    encoder.config.n_layers = len(KEPT_LAYERS)  # type: ignore[union-attr]
    encoder.save_pretrained(folder)  # type: ignore[operator, union-attr]
    tokenizer.save_pretrained(folder)
    return folder


def train(folder: Path, grid: str) -> None:
    """Train both models on both data sets; the report is in the folder ``report``."""
    half = save_half(folder / "half")
    command = ["-m", "pytest", "benchmarks/test_freeze_grid.py", f"--freeze-model=embedded,{half}", *PROTOCOL]
    command += [
        f"--freeze-data={DATA}",
        f"--freeze-grid={grid}",
        f"--freeze-report={folder / 'report'}",
        f"--freeze-store={folder / 'store'}",
    ]
    # Exit code 1: some configuration is worse than its limit, which is a result.
    subprocess.run([sys.executable, *command, "-p", "no:cacheprovider"], check=False)  # noqa: S603 - own arguments


def main() -> None:
    """Train, and write output and pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="model, store and report")
    parser.add_argument("--pictures", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--page", type=Path, required=True, help="page whose recorded output is replaced")
    parser.add_argument("--grid", default="none,emb,emb+L0,emb+L0-1,emb+L0-2", help="configurations of both models")
    parser.add_argument("--no-training", action="store_true", help="use the report that is there")
    arguments = parser.parse_args()
    if not arguments.no_training:
        train(arguments.folder, arguments.grid)
    experiments = read_experiments(arguments.folder / "report")
    shown = overview(experiments)
    drawn = side_by_side.front(experiments)
    if shown is None or not isinstance(drawn, Picture):
        raise SystemExit("there is nothing to show: look at the messages above, and run the script again.")
    write_pictures(drawn, arguments.pictures, "joint-front")
    records = [record for row in shown.rows for record in row.experiment.records]
    date = max(record.started_at for record in records)[:10]
    text = plain_text(overview_lines(shown, _TERMINAL_WIDTH))
    replace_block(arguments.page, _LABEL, f"{_LABEL}: {records[0].device_name}, {date}", text)


if __name__ == "__main__":
    main()
