"""TensorBoard: event files, read back with TensorBoard's own reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import experiments
from freezebench.errors import SettingsError
from freezebench.report.experiment import Experiment
from freezebench.report.tracking.content import logged
from freezebench.report.tracking.registry import make_trackers

pytest.importorskip("tensorboard", reason="the extra `tensorboard` is not installed")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from freezebench.report.tracking.tensorboard import TensorboardTracker


@pytest.fixture(scope="module")
def measured() -> Experiment:
    """An experiment with everything measured."""
    return experiments.experiment()


def _read(folder: Path) -> Any:
    reader = EventAccumulator(str(folder))
    reader.Reload()
    return reader


def _scalars(reader: Any) -> dict[str, list[tuple[int, float]]]:
    return {
        tag: [(event.step, float(event.tensor_proto.float_val[0])) for event in reader.Tensors(tag)]
        for tag in reader.Tags()["tensors"]
        if reader.SummaryMetadata(tag).plugin_data.plugin_name == "scalars"
    }


def test_every_run_is_a_folder_below_its_experiment(
    measured: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of the variable has the summary as a text, all figures, and the parameters of every run."""
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "events"))
    content = logged(measured, reused=set())
    tracker = TensorboardTracker()
    assert tracker.destination == f"TensorBoard: {tmp_path / 'events' / 'freezebench'}"
    name = tracker.log(content)
    parent = tmp_path / "events" / "freezebench" / name
    assert name.endswith("-tiny-on-made-up")
    above = _read(parent)
    assert {tag: points[0][1] for tag, points in _scalars(above).items()} == pytest.approx(content.metrics)
    assert above.Tensors("summary")[0].tensor_proto.string_val[0].decode() == content.markdown
    assert {path.name for path in parent.iterdir() if path.is_dir()} == {
        run.name.replace(", ", "-").replace(" ", "-") for run in content.runs
    }
    run = next(run for run in content.runs if run.name == "emb+L0, seed 43")
    below = _read(parent / "emb+L0-seed-43")
    scalars = _scalars(below)
    assert {tag: points[0][1] for tag, points in scalars.items() if tag in run.metrics} == pytest.approx(run.metrics)
    assert [step for step, _ in scalars["train/loss"]] == [1, 2]
    assert [loss for _, loss in scalars["train/loss"]] == pytest.approx([0.7 + 43 / 1e6, 0.5])
    data = HParamsPluginData.FromString(below.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content)
    shown = data.session_start_info.hparams
    assert (shown["freeze"].string_value, shown["seed"].number_value) == ("emb+L0", 43)
    assert shown["reused"].string_value == "false"


def test_a_second_session_has_a_folder_of_its_own(
    measured: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the variable it is below ``runs``."""
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    content = logged(measured)
    names = {TensorboardTracker().log(content) for _ in range(2)}
    assert {path.name for path in (tmp_path / "runs" / "freezebench").iterdir()} == names
    assert len(names) == 2


def test_a_folder_that_cannot_be_written_is_an_error_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that can be is not made yet, since a plan logs nothing."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "file" / "events"))
    with pytest.raises(
        SettingsError, match=r"--freeze-log=tensorboard: TensorBoard cannot write to .*to another one\."
    ):
        make_trackers(["tensorboard"], "--freeze-log")
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "new" / "events"))
    make_trackers(["tensorboard"], "--freeze-log")
    assert not (tmp_path / "new").exists()
