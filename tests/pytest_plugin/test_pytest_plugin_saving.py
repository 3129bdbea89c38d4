"""--freeze-save in whole sessions: what is saved, what is refused before training, and what a failure costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard

import experiments
from freezebench.models.load import load_model
from freezebench.pytest_plugin.saving import ModelSaver, folder_names
from freezebench.records.model_folder import MANIFEST
from freezebench.report.summary import summarize
from freezebench.session import FreezeSession
from freezebench.specs.data import DataSpec
from freezebench.specs.run import RunSpec
from report_schema import read_report
from tiny import loaded_predictions, sentences

Project = Callable[..., pytest.Pytester]

# With this margin, two seeds and 40 sentences prove that a configuration that learns is safe.
MARKER = "grid='none,L0', num_seeds=2, margin=45"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The option of a store that the tests share: only the first one trains the runs of the comparison."""
    return f"--freeze-store={tmp_path_factory.mktemp('runs')}"


def _experiment(report: Path) -> dict[str, Any]:
    content: dict[str, Any] = read_report(report)["experiments"][0]
    return content


@pytest.mark.usefixtures("without_matplotlib")
@pytest.mark.parametrize("isolate", ["none", pytest.param("worker", marks=pytest.mark.slow)])
def test_the_recommended_model_is_saved(
    project: Project, tmp_path: Path, store: str, tiny_model: Path, isolate: str
) -> None:
    """It predicts what was recorded, frozen weights are the pretrained ones, and the card has the record's figures."""
    model, report = tmp_path / "out" / "model", tmp_path / "report"
    result = project(MARKER).runpytest_inprocess(
        store, f"--freeze-save={model}", f"--freeze-report={report}", f"--freeze-isolate={isolate}"
    )
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "freezebench saving L0, seed 42 …",
            "freezebench saving L0, seed 42: test accuracy *",
            f"freezebench: --freeze-save: saved the model of L0, seed 42, to {model}; AutoModelForSequence*",
        ]
    )
    experiment = _experiment(report)
    row = next(row for row in experiment["configurations"] if row["freeze"] == "L0")
    run = row["runs"][0]
    assert (run["spec"]["seed"], loaded_predictions(model)) == (42, run["test"]["predictions"])
    saved, pretrained = (dict(load_model(str(folder))[0].named_parameters()) for folder in (model, tiny_model))
    frozen = {name for name in saved if "layer.0." in name}
    assert {name for name, weight in pretrained.items() if torch.equal(saved[name], weight)} == frozen != set()
    entry = {"folder": str(model), "freeze": "L0", "seed": 42, "is_reproduced": True, "is_failure": False}
    assert entry.items() <= experiment["saved_model"].items()
    assert f"saved the model of L0, seed 42, to {model}" in (report / "report.md").read_text()
    assert f"saved the model of L0, seed 42, to {model}" in (report / "index.html").read_text()
    card: Any = ModelCard.load(model / "README.md")
    figures = {item.metric_type: item.metric_value for item in card.data.eval_results}
    assert figures == {"accuracy": run["test"]["accuracy"], "f1": run["test"]["f1"]}
    assert f"{row['drop_pp']:.2f} points, 90 % interval {row['lower_pp']:.2f} to {row['upper_pp']:.2f}" in card.text
    assert "the film" not in card.text
    assert [path.name for path in model.parent.iterdir()] == ["model"]


@pytest.mark.slow
def test_an_earlier_model_is_replaced_and_anything_else_is_refused(
    project: Project, tmp_path: Path, store: str
) -> None:
    """Exit code 4 comes before training."""
    model = tmp_path / "model"
    session = project(MARKER)
    assert session.runpytest_inprocess(store, f"--freeze-save={model}").ret == 0
    before = (model / "model.safetensors").read_bytes()
    assert session.runpytest_inprocess(store, f"--freeze-save={model}", "--freeze-seed=7").ret == 0
    assert (model / "model.safetensors").read_bytes() != before
    (model / "notes.txt").write_text("mine")
    refused = session.runpytest_inprocess(store, f"--freeze-save={model}")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines([f"ERROR: --freeze-save={model}: {model}/notes.txt was not saved by freezebench. *"])
    refused.stdout.no_fnmatch_line("*trained in*")
    refused.stdout.no_fnmatch_line("*nothing was saved*")
    assert (model / "notes.txt").read_text() == "mine"


def test_a_folder_that_cannot_be_written_ends_the_session_before_training(project: Project, tmp_path: Path) -> None:
    """A file where the folder above it should be; exit code 4."""
    (tmp_path / "file").write_text("a file")
    refused = project(MARKER).runpytest_inprocess(f"--freeze-save={tmp_path / 'file' / 'model'}")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["ERROR: --freeze-save=*: cannot write in *file (*), where the model is prepared. *"])


@pytest.mark.parametrize("option", ["--freeze-plan", "--collect-only"])
def test_nothing_is_written_where_nothing_runs(project: Project, tmp_path: Path, option: str) -> None:
    """A plan does not even make the folder above."""
    assert project(MARKER).runpytest_inprocess(f"--freeze-save={tmp_path / 'a' / 'b'}", option).ret == 0
    assert not (tmp_path / "a").exists()


def test_nothing_is_saved_where_nothing_is_recommended(project: Project, tmp_path: Path, store: str) -> None:
    """One sentence says so, the exit status stays, and an earlier model is not touched."""
    model = tmp_path / "model"
    session = project("grid='none,L0', num_seeds=2")
    first = session.runpytest_inprocess(store, f"--freeze-save={model}", "--freeze-margin=0.1")
    assert first.ret == 0
    sentence = f"freezebench: --freeze-save: nothing was saved to {model}, since no configuration is recommended"
    first.stdout.fnmatch_lines([f"{sentence}. Read in the summary why."])
    assert not model.exists()
    assert session.runpytest_inprocess(store, f"--freeze-save={model}", "--freeze-margin=45").ret == 0
    again = session.runpytest_inprocess(store, f"--freeze-save={model}", "--freeze-margin=0.1")
    again.stdout.fnmatch_lines([f"{sentence}; the model there is from an earlier session. *"])
    assert (model / "model.safetensors").is_file()


def test_a_model_that_is_not_reproduced_says_so(
    project: Project, tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a nondeterministic device: the card has the figures of the saved model, and the terminal warns."""
    save = FreezeSession.save_model

    def trained_otherwise(self: FreezeSession, spec: Any, folder: Path) -> Any:
        record = save(self, replace(spec, protocol=replace(spec.protocol, num_epochs=1, learning_rate=1e-4)), folder)
        return replace(record, spec=spec)

    monkeypatch.setattr(FreezeSession, "save_model", trained_otherwise)
    model = tmp_path / "model"
    result = project(MARKER).runpytest_inprocess(store, f"--freeze-save={model}")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*Warning: it does not predict exactly what the recorded run did*"])
    card: Any = ModelCard.load(model / "README.md")
    assert "**This is not exactly the model of the comparison.**" in card.text
    labels = [label for _, label in sentences(40, 2, 2)]
    accuracy = sum(one == other for one, other in zip(loaded_predictions(model), labels, strict=True)) / 40
    assert card.data.eval_results[0].metric_value == pytest.approx(accuracy)


def test_a_failure_while_saving_loses_no_result(
    project: Project, tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The summary is complete, nothing is left under the folder, and the session fails: a pipeline must not go on."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("transformers.PreTrainedModel.save_pretrained", full)
    result = project(MARKER).runpytest_inprocess(store, f"--freeze-save={tmp_path / 'out' / 'model'}")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "L0 *non-inferior*",
            "freezebench: --freeze-save: the model of L0 was not saved: its run was trained *: *No space left*",
            "FAILED freezebench::saved*",
        ]
    )
    assert not list((tmp_path / "out").iterdir())


def _with_factory(project: Project, result: str) -> pytest.Pytester:
    """Return a project whose model comes from a factory that makes the tiny model and returns an expression of it."""
    session = project(f"{MARKER}, num_layers=2")
    source = (session.path / "test_project.py").read_text()
    tiny = source.split("model='")[1].split("'")[0]
    (session.path / "test_project.py").write_text(source.replace(tiny, "own:make"))
    lines = [
        "import torch",
        "from freezebench.models.load import load_model",
        "class Plain(torch.nn.Module):",
        "    def __init__(self, model):",
        "        super().__init__()",
        "        self.model = model",
        "    def forward(self, input_ids, attention_mask):",
        "        return self.model(input_ids=input_ids, attention_mask=attention_mask)",
        "def make(num_labels):",
        f"    model, tokenizer = load_model({tiny!r}, num_labels)",
        f"    return {result}, tokenizer",
    ]
    session.makepyfile(own="\n".join(lines))
    session.syspathinsert()
    return session


def test_a_factory_without_save_pretrained_is_refused_before_training(project: Project, tmp_path: Path) -> None:
    """The sentence names the class and what to do; exit code 4."""
    refused = _with_factory(project, "Plain(model)").runpytest_inprocess(f"--freeze-save={tmp_path / 'model'}")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["ERROR: cannot save own:make: its model, a Plain, has no method save_pretrained. *"])


@pytest.mark.slow
def test_a_factorys_model_is_loaded_by_its_class(project: Project, tmp_path: Path) -> None:
    """Its card names class and factory, and no model of the Hub."""
    model = tmp_path / "model"
    result = _with_factory(project, "model").runpytest_inprocess(f"--freeze-save={model}")
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"*to {model}; DistilBertForSequenceClassification.from_pretrained loads it."])
    card: Any = ModelCard.load(model / "README.md")
    assert card.data.base_model is None
    assert "`DistilBertForSequenceClassification` is the class of the model that `own:make` makes" in card.text
    assert len(loaded_predictions(model)) == 40


@pytest.mark.slow
def test_several_experiments_get_a_folder_each(project: Project, tmp_path: Path, store: str) -> None:
    """Folders are named after model and data; experiments that share these by a part of a hash as well."""
    session = project(MARKER)
    source = (session.path / "test_project.py").read_text()
    other = source.replace("def test_it", "def test_other").replace("epochs=8", "epochs=9")
    (session.path / "test_project.py").write_text(f"{source}\n{other}")
    models = tmp_path / "models"
    result = session.runpytest_inprocess(store, f"--freeze-save={models}")
    assert result.ret == 0
    folders = sorted(models.iterdir())
    assert len(folders) == 2
    assert len({folder.name.rpartition("-")[0] for folder in folders}) == 1
    for folder in folders:
        assert len(loaded_predictions(folder)) == 40
        result.stdout.fnmatch_lines([f"freezebench: --freeze-save: saved the model of L0, seed 42, to {folder};*"])


def test_a_test_that_trains_nothing_has_no_model(project: Project, tmp_path: Path) -> None:
    """The session ends as it would without the option, and says that there was nothing to save."""
    session = project(MARKER)
    source = (session.path / "test_project.py").read_text()
    (session.path / "test_project.py").write_text(source.replace("    freeze_run()", "    pass"))
    # pytest-benchmark warns of tests that do not use its fixture.
    result = session.runpytest_inprocess(
        f"--freeze-save={tmp_path / 'model'}", "-W", "ignore:Benchmark fixture was not"
    )
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["freezebench: --freeze-save: nothing was saved, since no configuration was trained. *"]
    )


def test_folders_of_experiments_have_readable_safe_names() -> None:
    """No part of a path is taken over; equal names get a hash, and equal experiments a number."""

    def spec(model: str, source: str, **changes: Any) -> RunSpec:
        return RunSpec(model=model, data=DataSpec(source=source), **changes)

    assert folder_names([spec("/a/../b", "x")]) == [None]
    first, *names = folder_names([spec("org/bert", "glue:sst2"), spec("../..", "/"), spec("own:make", "ré views")])
    assert first == "bert-glue-sst2"
    assert names == ["model", "own-make-r-views"]
    one = spec("org/bert", "data")
    other, again = replace(one, device="cuda:1"), replace(one, freeze="emb")
    assert folder_names([one, other, again]) == [
        f"bert-data-{one.experiment_id[:8]}",
        f"bert-data-{other.experiment_id[:8]}",
        f"bert-data-{one.experiment_id[:8]}-2",
    ]


def test_a_session_that_stops_early_saves_nothing(project: Project, tmp_path: Path, store: str) -> None:
    """What is recommended is not known before the last test."""
    session = project(MARKER)
    session.makepyfile(test_a="def test_fails():\n    assert False")
    source = (session.path / "test_project.py").read_text()
    (session.path / "test_project.py").write_text(f"{source}\ndef test_fails():\n    assert False\n")
    result = session.runpytest_inprocess(store, f"--freeze-save={tmp_path / 'model'}", "-x", "test_project.py")
    result.stdout.fnmatch_lines(["freezebench: --freeze-save: nothing was saved, since the session was stopped *"])
    assert not (tmp_path / "model").exists()


@pytest.mark.slow
def test_a_kill_while_saving_leaves_the_earlier_model(project: Project, tmp_path: Path) -> None:
    """Not a byte of it changes, no half of the new one is in the folder, and the next session removes the rest."""
    model, store = tmp_path / "out" / "model", tmp_path / "runs"
    session = project(MARKER)
    command = [sys.executable, "-m", "pytest", "-q", f"--freeze-save={model}", f"--freeze-store={store}"]
    assert subprocess.run(command, cwd=session.path, stdout=subprocess.DEVNULL, check=False).returncode == 0
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    process = subprocess.Popen(command, cwd=session.path, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(model.parent.glob(".model.freezebench-*/new")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before
    assert MANIFEST in before
    assert session.runpytest_inprocess(f"--freeze-save={model}", f"--freeze-store={store}").ret == 0
    assert [path.name for path in model.parent.iterdir()] == ["model"]


def test_an_experiment_that_nobody_planned_costs_its_model_alone(tmp_path: Path) -> None:
    """A test may request freeze_run while it runs: the session ends with a failure instead of an internal error."""
    requested = experiments.settings()
    saver = ModelSaver(FreezeSession({}, {}), tmp_path / "model")
    saver.save([(requested, summarize(experiments.results(), requested))], lambda _: None)
    (outcome,) = saver.outcomes.values()
    assert outcome.is_failure
    assert "its tests request freeze_run while they run" in outcome.sentence
    assert list(tmp_path.iterdir()) == []
