"""Examples of data files: each is read as the task that its title names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from freezebench.data.load import load_data
from freezebench.specs.data import DataSpec
from freezebench.specs.names import TaskName
from snippets import BLOCKS, Block

_FIELDS = {"--freeze-label-column": "label_column", "--freeze-task": "task"}
FILES = [block for block in BLOCKS if block.title.partition(":")[0] in get_args(TaskName)]


def _write(block: Block, folder: Path) -> Path:
    """Write the rows of a block as the file of every split; return the folder."""
    for split in ("train", "validation", "test"):
        (folder / f"{split}.{block.language}").write_text(block.text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("block", FILES, ids=str)
def test_a_file_is_read_as_its_task(block: Block, tmp_path: Path) -> None:
    """With the options in its title."""
    task, _, text = block.title.partition(":")
    pairs = [word.split("=", 1) for word in text.split()]
    options: dict[str, Any] = {_FIELDS[name]: value for name, value in pairs}
    data = load_data(DataSpec(source=str(_write(block, tmp_path)), **options))
    assert data.task == task
    assert len(set(data.num_examples.values())) == 1
    assert data.facts.dropped_rows is None


def test_every_format_of_labels_has_an_example() -> None:
    """A task without one would be described by words alone."""
    assert {block.title.partition(":")[0] for block in FILES} >= {*get_args(TaskName)} - {"sequence-classification"}
    assert {block.language for block in FILES} == {"json", "csv", "conll"}
