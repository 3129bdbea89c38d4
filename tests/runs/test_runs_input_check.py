"""The check that all runs of a session had the same data and weights."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import made_up
from freezebench.runs import experiment
from freezebench.runs.data_cache import DataCache
from freezebench.runs.experiment import run
from freezebench.runs.input_check import InputCheck
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec

PROTOCOL = Protocol(num_epochs=1, batch_size=8, learning_rate=1e-2, precision="float32")


@pytest.fixture
def spec(tiny_model: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunSpec:
    """A run on copies of model and data that a test may change."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name, source in (("model", tiny_model), ("data", tiny_data)):
        (tmp_path / name).mkdir()
        for path in source.iterdir():
            (tmp_path / name / path.name).write_bytes(path.read_bytes())
    data = DataSpec(source=str(tmp_path / "data"))
    return RunSpec(model=str(tmp_path / "model"), data=data, freeze="emb", seed=3, device="cpu", protocol=PROTOCOL)


def test_data_that_change_make_later_runs_invalid(spec: RunSpec) -> None:
    """A replaced worker reads its files again: it has to find what this session has read."""
    check = InputCheck(DataCache())
    assert check.checked(run(spec)).is_valid
    train = Path(spec.data.source) / "train.jsonl"
    lines = train.read_text(encoding="utf-8").splitlines()
    train.write_text("\n".join([json.dumps({"text": "another film", "label": 0}), *lines[1:]]), encoding="utf-8")
    record = check.checked(run(replace(spec, seed=4)))
    assert (record.is_valid, record.cause) == (False, "inputs_changed")
    assert f"{spec.data.source} changed while this session ran (train): " in str(record.reason)


def test_another_version_of_a_strategy_makes_a_run_invalid(spec: RunSpec, own_strategies: Path) -> None:
    """A node of a cluster may have another version of a package than the machine that plans."""
    check = InputCheck(DataCache())
    record = run(replace(spec, freeze="emb+few"))
    assert record.environment["strategy few"].startswith("own-strategies 1.0, SHA-256 ")
    assert check.checked(record).is_valid
    other = {**record.environment, "strategy few": "own-strategies 0.9, SHA-256 0"}
    checked = check.checked(replace(record, environment=other))
    assert (checked.is_valid, checked.cause) == (False, "inputs_changed")
    assert str(checked.reason).startswith(
        "the process that trained emb+few has another version of strategy few: own-strategies 0.9, SHA-256 0, and own-"
    )
    assert own_strategies.is_dir()


def test_a_model_that_changes_makes_later_runs_invalid(spec: RunSpec) -> None:
    """Weights that are replaced between two runs make another experiment."""
    from tiny import write_model

    check = InputCheck(DataCache())
    assert check.checked(run(spec)).is_valid
    write_model(Path(spec.model), seed=5)
    record = check.checked(run(replace(spec, seed=4)))
    assert (record.is_valid, record.cause) == (False, "inputs_changed")
    assert f"{spec.model} changed while this session ran (weights)" in str(record.reason)


def test_a_file_that_changes_between_two_runs_is_noticed(spec: RunSpec) -> None:
    """The process that trains later read another configuration than this session began with."""
    data_cache = DataCache()
    assert data_cache.file_hashes(spec) is not None
    _edit_config(Path(spec.model))
    record = InputCheck(data_cache).checked(run(spec))
    assert (record.is_valid, record.cause) == (False, "inputs_changed")
    assert f"{spec.model} changed while this session ran (configuration or tokenizer)" in str(record.reason)


def _edit_config(folder: Path) -> None:
    """Change the dropout in place, and set the time of the change back."""
    path = folder / "config.json"
    before = path.stat()
    content = path.read_text(encoding="utf-8").replace('"dropout": 0.1', '"dropout": 0.2')
    assert content != path.read_text(encoding="utf-8")
    path.write_text(content, encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replace_config(folder: Path) -> None:
    """Move another file to the place of the configuration."""
    other = folder.parent / "other.json"
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    other.write_text(json.dumps({**config, "dropout": 0.3}), encoding="utf-8")
    other.replace(folder / "config.json")


def _add_tokens(folder: Path) -> None:
    """Add a file that the tokenizer reads if it is there."""
    (folder / "added_tokens.json").write_text('{"film": 63}', encoding="utf-8")


def _remove_weights(folder: Path) -> None:
    """Leave the model without its weights."""
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (_edit_config, " (config.json)"),
        (_replace_config, " (config.json)"),
        (_add_tokens, " (added_tokens.json)"),
        (_remove_weights, ""),
    ],
)
def test_a_file_that_changes_during_a_run_makes_it_invalid(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None], names: str
) -> None:
    """It may have been read before or after, whatever its time stamp says; the message names it."""
    train = experiment._train

    def changed(*arguments: Any, **options: Any) -> Any:
        change(Path(spec.model))
        return train(*arguments, **options)

    monkeypatch.setattr(experiment, "_train", changed)
    record = run(spec)
    assert (record.is_valid, record.cause) == (False, "inputs_changed")
    assert f"{spec.model} changed while this session ran{names}: " in str(record.reason)


def test_a_link_that_is_moved_to_another_checkpoint_is_noticed(
    spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files behind the name count, and not the name."""
    from tiny import write_model

    link, other = tmp_path / "link", write_model(tmp_path / "other", seed=5)
    link.symlink_to(spec.model)
    train = experiment._train

    def moved(*arguments: Any, **options: Any) -> Any:
        link.unlink()
        link.symlink_to(other)
        return train(*arguments, **options)

    monkeypatch.setattr(experiment, "_train", moved)
    record = run(replace(spec, model=str(link)))
    assert record.cause == "inputs_changed"
    assert "(model.safetensors)" in str(record.reason)


def test_data_files_that_change_during_a_run_make_it_invalid(spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content that was read stays in memory, but another process would read another one."""
    train = experiment._train

    def changed(*arguments: Any, **options: Any) -> Any:
        with (Path(spec.data.source) / "test.jsonl").open("a", encoding="utf-8") as file:
            file.write('{"text": "one more film", "label": 0}\n')
        return train(*arguments, **options)

    monkeypatch.setattr(experiment, "_train", changed)
    record = run(spec)
    assert (record.is_valid, record.cause) == (False, "inputs_changed")
    assert f"{spec.data.source} changed while this session ran (test.jsonl): " in str(record.reason)


def test_files_that_are_only_read_or_saved_again_do_not_count(spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """New time stamps and other files beside the model change nothing."""
    train = experiment._train

    def touched(*arguments: Any, **options: Any) -> Any:
        (Path(spec.model) / "config.json").touch()
        (Path(spec.model) / "README.md").write_text("about this model", encoding="utf-8")
        return train(*arguments, **options)

    monkeypatch.setattr(experiment, "_train", touched)
    assert InputCheck(DataCache()).checked(run(spec)).is_valid


def test_invalid_runs_are_left_as_they_are() -> None:
    """Their own reason comes first."""
    broken = made_up.broken("emb")
    assert InputCheck(DataCache()).checked(broken) is broken


def test_a_kept_process_names_the_weights_that_changed_before_it_loads_them(spec: RunSpec) -> None:
    """The next run in the same process is not trained."""
    from tiny import write_model

    data_cache = DataCache()
    assert run(spec, data_cache=data_cache).is_valid
    write_model(Path(spec.model), seed=5)
    record = run(replace(spec, seed=4), data_cache=data_cache)
    assert (record.is_valid, record.cause, record.epochs) == (False, "inputs_changed", ())
    assert "changed while this session ran (model.safetensors)" in str(record.reason)
