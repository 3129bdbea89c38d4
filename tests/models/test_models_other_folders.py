"""Folders that are no checkpoint: the message names what to give instead."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from freezebench.errors import ModelError
from freezebench.models.checkpoint import check_folder, read_config


def message(folder: Path) -> str:
    """Return the error for a folder."""
    with pytest.raises(ModelError) as caught:
        check_folder(folder, "m")
    return str(caught.value)


def checkpoints(folder: Path, *numbers: int) -> None:
    """Write the output folder of a Trainer."""
    for number in numbers:
        (folder / f"checkpoint-{number}").mkdir(parents=True)
        (folder / f"checkpoint-{number}" / "config.json").write_text("{}")


def test_of_a_trainers_output_the_newest_checkpoint_is_named(tmp_path: Path) -> None:
    """Numbers are compared, not names: 12 comes after 3."""
    checkpoints(tmp_path, 3, 12)
    (tmp_path / "checkpoint-99").mkdir()  # without a configuration
    (tmp_path / "runs").mkdir()
    assert f"Give one of them: --freeze-model={tmp_path}/checkpoint-12 is the newest of 2." in message(tmp_path)


@pytest.mark.parametrize("best", ["out/checkpoint-3", "C:\\out\\checkpoint-3", "/elsewhere/checkpoint-3"])
def test_of_a_trainers_output_the_best_checkpoint_is_named(tmp_path: Path, best: str) -> None:
    """The newest one's state says which it is; its path was that of the machine that trained."""
    checkpoints(tmp_path, 3, 12)
    (tmp_path / "checkpoint-12" / "trainer_state.json").write_text(json.dumps({"best_model_checkpoint": best}))
    expected = f"--freeze-model={tmp_path}/checkpoint-3 is the best by its trainer_state.json."
    assert expected in message(tmp_path)


@pytest.mark.parametrize("state", ["[" * 100_000, "[]", "{}", '{"best_model_checkpoint": "checkpoint-7"}'])
def test_a_state_that_names_no_checkpoint_is_left_out(tmp_path: Path, state: str) -> None:
    """It only helps to choose."""
    checkpoints(tmp_path, 3, 12)
    (tmp_path / "checkpoint-12" / "trainer_state.json").write_text(state)
    assert "checkpoint-12 is the newest of 2." in message(tmp_path)


def test_other_folders_with_models_are_named(tmp_path: Path) -> None:
    """As those that sentence-transformers writes."""
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    assert message(tmp_path).endswith(f"Give one of them: {tmp_path}/a, {tmp_path}/b.")


def test_a_folder_without_anything_is_refused(tmp_path: Path) -> None:
    """There is nothing to name."""
    assert message(tmp_path).endswith("Give the folder that save_pretrained wrote the model to.")


@pytest.mark.parametrize("base", ["bert-base-uncased", None])
def test_an_adapter_is_named_with_its_model(tmp_path: Path, base: str | None) -> None:
    """The message has the command that merges both, and the model without the adapter."""
    config = {"task_type": "SEQ_CLS"} | ({} if base is None else {"base_model_name_or_path": base})
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    head = "base_model.model.classifier.weight"
    save_file({head: torch.zeros(3, 4)}, tmp_path / "adapter_model.safetensors")
    text = message(tmp_path)
    assert f'M.from_pretrained("{tmp_path}", num_labels=3).merge_and_unload().save_pretrained("./' in text
    assert ("--freeze-model=bert-base-uncased" in text) is (base is not None)
    assert f"--freeze-model=./{tmp_path.name}-merged" in text


def test_an_adapter_beside_a_model_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    """Whether Transformers would load it depends on whether peft is installed."""
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    (folder / "adapter_config.json").write_text("{}")
    assert "has an adapter (adapter_config.json), which freezebench does not train" in message(folder)


def test_a_hostile_adapter_is_refused(tmp_path: Path) -> None:
    """Its configuration is read within bounds."""
    (tmp_path / "adapter_config.json").write_text("[" * 100_000)
    with pytest.raises(ModelError, match="nested too deeply"):
        read_config(tmp_path, "m")
