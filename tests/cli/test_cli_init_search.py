"""Checkpoints and data sets in a project's folders."""

from __future__ import annotations

import json
from pathlib import Path

from freezebench.cli.init.search import find_sources
from tiny import write_data, write_model


def test_checkpoints_and_data_are_found(tmp_path: Path) -> None:
    """Folders with weights, folders of splits, and single files; not what only looks like them."""
    write_model(tmp_path / "models" / "best")
    write_data(tmp_path / "data" / "mine")
    (tmp_path / "reviews.csv").write_text("text,label\na,0\n", encoding="utf-8")
    (tmp_path / "names.conll").write_text("Ada B-PER\n\n", encoding="utf-8")
    # Not data: settings of another program.
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "package.json").write_text("{}", encoding="utf-8")
    sources = find_sources(tmp_path)
    assert sources.models == [tmp_path / "models" / "best"]
    assert sources.data == [tmp_path / "names.conll", tmp_path / "reviews.csv", tmp_path / "data" / "mine"]
    assert sources.refused_models == {}


def test_folders_that_are_no_part_of_the_project_are_left_out(tmp_path: Path) -> None:
    """Hidden ones, environments, what other programs build; and what is inside of a checkpoint."""
    write_model(tmp_path / "model")
    write_model(tmp_path / "model" / "checkpoint-500")
    for name in (".cache", "node_modules", "build"):
        write_data(tmp_path / name)
    write_data(tmp_path / "env" / "lib")
    (tmp_path / "env" / "pyvenv.cfg").touch()
    write_data(tmp_path / "a" / "b" / "c" / "d" / "too-deep")
    sources = find_sources(tmp_path)
    assert sources.models == [tmp_path / "model"]
    assert sources.data == []


def test_a_checkpoint_that_cannot_be_trained_is_named_with_the_reason(tmp_path: Path) -> None:
    """As where its weights are missing."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "config.json").write_text(json.dumps({"model_type": "bert"}), encoding="utf-8")
    sources = find_sources(tmp_path)
    assert sources.models == []
    assert "has no model.safetensors" in sources.refused_models[tmp_path / "empty"]
