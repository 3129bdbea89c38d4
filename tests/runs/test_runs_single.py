"""The public ``run``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import freezebench
from freezebench.errors import SettingsError
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec

SPEC = RunSpec(model="embedded", data=DataSpec(source="reviews"))


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("embedded", {}, "run('embedded'): give a RunSpec, such as RunSpec(model='embedded', data=DataSpec("),
        (None, {}, "run(None): give a RunSpec"),
        ({"model": "embedded"}, {}, "run({'model': 'embedded'}): give a RunSpec"),
        (SPEC, {"emit": None}, "run(emit=None): give a function that takes one event"),
        (SPEC, {"data_cache": {}}, "run(data_cache={}): leave it out."),
        (SPEC, {"save_to": "nowhere"}, "run(save_to='nowhere'): cannot use this folder (No such file or directory)."),
        (SPEC, {"save_to": 3}, "run(save_to=3): cannot use this folder"),
        (SPEC, {"save_to": "full"}, "run(save_to='full'): the folder is not empty. Give an existing, empty folder."),
        (SPEC, {"save_to": "full/file"}, "run(save_to='full/file'): cannot use this folder (Not a directory)."),
        (SPEC, {"save_to": "x" * 300}, "cannot use this folder (File name too long)."),
    ],
)
def test_wrong_arguments_are_refused(
    spec: Any, options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is read or trained."""
    monkeypatch.chdir(tmp_path)
    Path("full").mkdir()
    Path("full/file").touch()
    with pytest.raises(SettingsError, match=re.escape(message)):
        freezebench.run(spec, **options)


def test_a_run_is_recorded_and_its_model_saved(tiny_model: Path, tiny_data: Path, tmp_path: Path) -> None:
    """The folder may be given as a text."""
    spec = RunSpec(
        model=str(tiny_model),
        data=DataSpec(source=str(tiny_data)),
        freeze="emb",
        device="cpu",
        protocol=Protocol(num_epochs=1, batch_size=8, precision="float32"),
    )
    folder = tmp_path / "saved"
    folder.mkdir()
    record = freezebench.run(spec, save_to=str(folder))
    assert isinstance(record, freezebench.RunRecord)
    assert record.is_valid, record.reason
    assert record.value("accuracy") == record.test_correct.count(True) / len(record.test_correct)
    assert (folder / "model.safetensors").exists()
