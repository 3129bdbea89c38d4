"""``judge``: finished runs by another metric or margin."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import made_up_tasks
from experiments import settings
from freezebench.cli import main
from freezebench.config.session_settings import SessionSettings
from freezebench.records.consistency import f1_score
from freezebench.records.store import Store
from freezebench.report.publish import write_report
from freezebench.report.summary import summarize
from freezebench.specs.data import DataSpec, NamedSource
from freezebench.verdicts.judge import judge
from freezebench.verdicts.tuned_rate import RateTrial, TunedRate
from made_up import seeds


def _store(folder: Path, **accuracies: float) -> Path:
    """Save the runs of a grid, with the accuracies of some configurations."""
    store = Store(folder)
    for freeze in ("none", "emb"):
        for record in seeds(freeze, accuracy=accuracies.get(freeze, 0.9)):
            assert store.save(record)
    return folder


def _report(folder: Path, other: str = "emb", tuned: TunedRate | None = None, **flags: str) -> Path:
    """Write the report of a grid, for all configurations of which the same rates were tried."""
    unfrozen = seeds("none")
    own = settings(grid=f"none,{other}", **flags)
    results = [
        replace(
            judge(freeze, seeds(freeze), unfrozen, margin_pp=2, limit_pp=None, alpha=own.looks.alpha), tuned_rate=tuned
        )
        for freeze in ("none", other)
    ]
    folder.mkdir()
    write_report(folder, [(own, summarize(results, own))], SessionSettings(), with_page=False)
    return folder


def test_a_store_by_another_metric(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Table and answer are those of a session of that metric."""
    folder = _store(tmp_path / "store")
    assert main(["judge", str(folder), "--metric=mcc", "--margin=30"]) == 0
    shown = capsys.readouterr().out
    assert "=== freezebench: tiny on made-up" in shown
    assert "Matthews correlation" in shown
    assert "1 of 1 at the margin of 30 points" in shown


@pytest.mark.parametrize("path", ["report", "report/report.json"])
def test_a_report_by_another_metric(tmp_path: Path, capsys: pytest.CaptureFixture[str], path: str) -> None:
    """The folder, or its file of figures; JSON has the verdicts."""
    _report(tmp_path / "report")
    assert main(["judge", str(tmp_path / path), "--metric=macro-f1", "--margin=30", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    (experiment,) = content["experiments"]
    assert (content["exit_code"], content["margin"], experiment["model"]) == (0, 30, "tiny")
    none, emb = experiment["configurations"]
    assert (none["freeze"], none["verdict_at_margin"]) == ("none", None)
    assert emb["metric"] == "macro-f1"
    assert emb["verdict_at_margin"]["outcome"] == "non_inferior"


def test_another_margin_of_the_session_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Judged at the usual one, a configuration may get another verdict than in its session."""
    folder = _report(tmp_path / "reports", margin="7", metric="mcc")
    main(["judge", str(folder)])
    assert "--metric=mcc --margin=7 judges it as its session did." in capsys.readouterr().err
    for arguments in (["--margin=2"], ["--metric=accuracy", "--margin=3"]):
        main(["judge", str(folder), *arguments])
        assert capsys.readouterr().err == ""
    main(["judge", str(_report(tmp_path / "usual", metric="accuracy"))])
    assert capsys.readouterr().err == ""


def test_a_report_says_which_rates_were_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By another metric as well; an early report lacks the trials, but says that there were some."""
    tuned = TunedRate(trials=(RateTrial(rate=1e-5, loss=0.4), RateTrial(rate=5e-5, loss=0.3)), seed=41)
    folders = [
        _report(tmp_path / "tuned", "lora", tuned, tune_lr="0.2,1"),
        _report(tmp_path / "early", "lora", tune_lr="0.2,1"),
        _report(tmp_path / "untuned", "lora"),
    ]
    shown = []
    for folder in folders:
        assert main(["judge", str(folder), "--metric=mcc", "--margin=30"]) == 0
        shown.append(" ".join(capsys.readouterr().out.split()))
    assert ["Rates were not tuned" in text for text in shown] == [False, False, True]
    assert "Learning rates: 2 were tried for each configuration, one run each with seed 41 (4 trials)" in shown[0]


def test_a_folder_of_both_has_every_experiment_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report says more of its experiments than the store does."""
    _store(_report(tmp_path / "both"))
    assert main(["judge", str(tmp_path / "both"), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["experiments"]) == 1


@pytest.mark.parametrize(
    ("accuracy", "arguments", "code"),
    [
        (0.6, [], 0),
        (0.6, ["--max-drop=10"], 1),
        (0.9, ["--max-drop=10"], 0),
        (0.89, ["--margin=0.5"], 0),
        (0.89, ["--margin=0.5", "--strict"], 2),
    ],
)
def test_exit_codes(tmp_path: Path, accuracy: float, arguments: list[str], code: int) -> None:
    """As in a session: the margin fails nothing, a limit does."""
    assert main(["judge", str(_store(tmp_path / "store", emb=accuracy)), *arguments]) == code


def test_a_metric_of_the_user_is_found_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Behind the installed modules, and for this command alone."""
    text = "def specificity(labels, predictions):\n    return (predictions[labels == 0] == 0).mean()\n"
    (tmp_path / "judged_by.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "judged_by", raising=False)
    path = list(sys.path)
    assert main(["judge", str(_store(tmp_path / "store")), "--metric=judged_by:specificity", "--margin=30"]) == 0
    assert "specificity" in capsys.readouterr().out
    assert sys.path == path
    del sys.modules["judged_by"]


def test_a_metric_of_the_user_that_fails_on_the_test_set_is_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The runs are valid, so that the code is 4 and not that of invalid ones, and the message is that of a session."""
    text = "def f(labels, predictions):\n    1 // (len(labels) < 40)\n    return (labels == predictions).mean()\n"
    (tmp_path / "failing_judge.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["judge", str(_store(tmp_path / "store")), "--metric=failing_judge:f"]) == 4
    assert "on the test split with made-up predictions, the metric failing_judge:f fails" in capsys.readouterr().err
    del sys.modules["failing_judge"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--metric=macro_f1"], "--metric=macro_f1: there is no metric 'macro_f1'. Did you mean 'macro-f1'?"),
        (["--metric=log-loss"], "--metric=log-loss: this metric is measured in nats"),
        (["--margin=0.02"], "--margin=0.02: give percentage points, from 0.1 to 100. Did you mean 2 points?"),
        (
            ["--metric=log-loss", "--margin=0.1"],
            "log-loss is computed from scores, and seed 42 of none has recorded predictions alone",
        ),
        (["--metric=rmse", "--margin=0.1"], "sequence-classification has no metric 'rmse'"),
        (["--max-drop=none:3"], "none is the baseline"),
        (["--max-slice-drop=3"], "--max-slice-drop: the runs of tiny on made-up were trained without"),
        (["--max-test-drop=3"], "--max-test-drop: the runs of tiny on made-up were evaluated on no further test set."),
    ],
)
def test_bad_input_exits_with_4(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """One sentence on standard error."""
    assert main(["judge", str(_store(tmp_path / "store")), *arguments]) == 4
    assert message in capsys.readouterr().err


def test_a_folder_without_runs_exits_with_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whether it exists or not."""
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert main(["judge", str(folder)]) == 4
        assert "holds no finished runs" in capsys.readouterr().err


def test_a_limit_of_further_test_sets(tmp_path: Path) -> None:
    """It fails as in a session."""
    further = made_up_tasks.further_set("regression", "tweets")
    data = DataSpec(source="made-up", test_sets=(NamedSource(name="tweets", source="reviews:tweets"),))
    store = Store(tmp_path)
    for freeze, noise in (("none", 0.5), ("emb", 3.0)):
        for seed in (42, 43, 44):
            run = made_up_tasks.run("regression", freeze, seed, noise=noise, test_sets=(further,))
            assert store.save(replace(run, spec=replace(run.spec, data=data)))
    arguments = ["judge", str(tmp_path), "--metric=spearman"]
    assert [main(arguments), main([*arguments, "--max-test-drop=5"])] == [0, 1]


def test_neither_torch_nor_pytest_is_imported(tmp_path: Path) -> None:
    """Judging needs what a machine without a GPU and without pytest has."""
    folder = _store(tmp_path / "store")
    code = (
        "import sys; from freezebench.cli import main; "
        f"code = main(['judge', {str(folder)!r}, '--metric=macro-f1', '--margin=30']); "
        "print(code, [name for name in ('torch', 'pytest', 'transformers', 'datasets') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout.splitlines()[-1] == "0 []"


def test_experiments_without_the_metric_are_left_out_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A store holds runs of every task; where no experiment has the metric, that is an error."""
    folder = _store(tmp_path / "store")
    store = Store(folder)
    for freeze in ("none", "emb"):
        for seed in (42, 43, 44):
            run = made_up_tasks.run("regression", freeze, seed)
            spec = replace(run.spec, data=DataSpec(source="ratings"))
            assert store.save(replace(run, spec=spec))
    assert main(["judge", str(folder), "--metric=mcc", "--margin=30"]) == 0
    shown = capsys.readouterr()
    assert shown.err.startswith("tiny on ratings is left out: regression has no metric 'mcc'. Choose from pearson,")
    assert shown.out.count("=== freezebench") == 1
    assert main(["judge", str(folder), "--metric=entity-f1"]) == 4
    assert "has no metric 'entity-f1'" in capsys.readouterr().err


def test_experiments_whose_classes_lack_the_metric_are_left_out_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """F1 of class 1 is for two classes."""
    folder = _store(tmp_path / "store")
    store = Store(folder)
    for freeze in ("none", "emb"):
        for run in seeds(freeze):
            assert run.data is not None
            assert run.test is not None
            data = replace(run.data, label_names=("bad", "fair", "good"))
            test = replace(run.test, f1=f1_score(data.test_labels, run.test.predictions, num_labels=3))
            spec = replace(run.spec, data=DataSpec(source="stars"))
            assert store.save(replace(run, spec=spec, data=data, test=test))
    assert main(["judge", str(folder), "--metric=f1", "--margin=30"]) == 0
    shown = capsys.readouterr()
    assert shown.err.startswith("tiny on stars is left out: the metric f1 is for 2 classes, and the data have 3.")
    assert shown.out.count("=== freezebench") == 1


def test_a_limit_of_a_configuration_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It would hold for nothing, as would top-K, whose depth is not known here."""
    folder = _store(tmp_path / "store")
    assert main(["judge", str(folder), "--max-drop=3,emb:30"]) == 0
    for name in ("emb+L0", "top-2"):
        assert main(["judge", str(folder), f"--max-drop=emb:30,{name}:3"]) == 4
        message = f"--max-drop has a value for {name}, which is no configuration of {folder}, so that the value would"
        assert f"{message} hold for nothing. Choose from none, emb." in capsys.readouterr().err
