"""Slices, groups and further test sets in freeze tests: limits that fail a test only where they are asserted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import made_up
from freezebench.records.data_facts import SetFacts
from freezebench.records.run_record import Evaluation, RunRecord
from freezebench.runs import experiment
from freezebench.runs.data_cache import DataCache
from freezebench.scoring.metrics import METRICS
from freezebench.specs.run import RunSpec
from tiny import sentences

Project = Callable[..., pytest.Pytester]
NUM_TEST = 400


def _write(path: Path, num: int, seed: int) -> None:
    """Write sentences of two domains."""
    lines = [
        {"text": f"{text} {number}", "label": label, "domain": "ab"[number % 4 == 0], "user": number // 2}
        for number, (text, label) in enumerate(sentences(num, 2, seed))
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set with the columns ``domain`` and ``user``, and a further test set."""
    for number, (name, num) in enumerate({"train": 48, "validation": 24, "test": NUM_TEST}.items()):
        _write(tmp_path / f"{name}.jsonl", num, number)
    (tmp_path / "far").mkdir()
    _write(tmp_path / "far" / "far.jsonl", NUM_TEST, 3)
    return tmp_path


@pytest.fixture
def reaches(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Replace training; return accuracies by what they are of, such as ``emb``, ``emb b`` or ``emb far``."""
    accuracies: dict[str, float] = {}

    def evaluation(spec: RunSpec, facts: SetFacts) -> Evaluation:
        labels = np.array(facts.test_labels)
        slices = [facts.slice_names[number] for number in facts.test_slices or ()] or [facts.name] * len(labels)
        usual = accuracies.get(spec.freeze, 0.9)
        limits = np.array([accuracies.get(f"{spec.freeze} {name}", usual) for name in slices])
        # The same sentences are difficult for every run, but for a few.
        difficulty = np.random.default_rng(1).random(len(labels))
        is_wrong = difficulty + 0.02 * np.random.default_rng([spec.seed, len(spec.freeze)]).random(len(labels)) > limits
        predictions = np.where(is_wrong, 1 - labels, labels)
        accuracy = float((predictions == labels).mean())
        return Evaluation(loss=0.3, accuracy=accuracy, f1=accuracy, predictions=tuple(predictions.tolist()))

    def run(spec: RunSpec, *, data_cache: DataCache, **_: Any) -> RunRecord:
        facts, files = data_cache.data(spec).facts, data_cache.file_hashes(spec)
        assert files
        return made_up.record(
            spec.freeze,
            spec.seed,
            spec=spec,
            data=facts,
            test=evaluation(spec, facts.of_test_set()),
            tests={item.name: evaluation(spec, item) for item in facts.test_sets},
            model_sha256=files.weights_sha256,
            files_sha256=files.files_sha256,
        )

    monkeypatch.setattr(experiment, "run", run)
    return accuracies


@pytest.fixture
def session(project: Project, folder: Path, reaches: dict[str, float]) -> Callable[..., pytest.RunResult]:
    """Return a function that runs a session with accuracies and flags."""

    def run(accuracies: dict[str, float], *flags: str) -> pytest.RunResult:
        reaches.update(accuracies)
        options = ("-Wdefault::pytest.PytestWarning", "--freeze-grid=none,emb", "--freeze-num-seeds=3", "-rs")
        return project().runpytest_inprocess(*options, f"--freeze-data={folder}", *flags)

    return run


Session = Callable[..., pytest.RunResult]
LIMITED = ("--freeze-slice-column=domain", "--freeze-max-slice-drop=10")


@pytest.mark.parametrize(
    ("accuracy", "flags", "outcomes"),
    [
        (0.5, ("--freeze-slice-column=domain",), {"passed": 2}),
        (0.5, LIMITED, {"passed": 1, "failed": 1}),
        (0.9, LIMITED, {"passed": 2}),
        (0.8, LIMITED, {"passed": 1, "skipped": 1}),
        (0.8, (*LIMITED, "--freeze-inconclusive=fail"), {"passed": 1, "failed": 1}),
    ],
    ids=str,
)
def test_a_slice_past_its_limit_fails_only_when_asserted(
    session: Session, accuracy: float, flags: tuple[str, ...], outcomes: dict[str, int]
) -> None:
    """The whole test set may lose little while one slice of it loses a third."""
    result = session({"emb b": accuracy}, *flags)
    result.assert_outcomes(**outcomes)
    assert result.ret == ("failed" in outcomes)
    if len(outcomes) > 1:
        word = "INCONCLUSIVE" if accuracy == 0.8 else "INFERIOR"
        result.stdout.fnmatch_lines([f"*{word}: emb*", f"*{word}: slices: a drop of at most 10 points is allowed*b *"])


@pytest.mark.parametrize(
    ("accuracy", "flags", "outcomes"),
    [
        (0.5, (), {"passed": 2}),
        (0.5, ("--freeze-max-test-drop=10",), {"passed": 1, "failed": 1}),
        (0.9, ("--freeze-max-test-drop=10",), {"passed": 2}),
    ],
    ids=str,
)
def test_a_test_set_past_its_limit_fails_only_when_asserted(
    session: Session, folder: Path, accuracy: float, flags: tuple[str, ...], outcomes: dict[str, int]
) -> None:
    """The own test set loses nothing."""
    outputs = ("--junitxml=j.xml", "--benchmark-json=b.json")
    result = session({"emb far": accuracy}, f"--freeze-test=far={folder}/far/far.jsonl", *flags, *outputs)
    result.assert_outcomes(**outcomes)
    if len(outcomes) > 1:
        result.stdout.fnmatch_lines(
            ["*INFERIOR: emb*", "*INFERIOR: test sets: a drop of at most 10 points is allowed*far *"]
        )
    properties = {entry.get("name"): entry.get("value") for entry in ET.parse("j.xml").iter("property")}  # noqa: S314 - ours
    drop_pp = float(str(properties["freezebench_test_set_far_drop_pp"]))
    assert drop_pp == pytest.approx(100 * (0.9 - accuracy), abs=6)
    saved = json.loads(Path("b.json").read_text(encoding="utf-8"))["benchmarks"]
    # A test that fails is not saved.
    assert len(saved) == outcomes["passed"]
    subsets = [item for bench in saved[1:] for item in bench["extra_info"]["freezebench"]["subsets"]]
    assert [item["verdict"]["drop_pp"] for item in subsets if item["name"] == "far"] == [drop_pp][: len(saved) - 1]


def test_too_few_examples_of_a_class_decide_nothing(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the drop is far below the limit; more seeds are not advised, since they would not help."""
    rare = replace(METRICS["macro-f1"], too_few_labels=lambda _: "8 examples of class positive")
    monkeypatch.setitem(METRICS, "macro-f1", rare)
    monkeypatch.setenv("CI", "true")
    result = session({}, "--freeze-metric=macro-f1", "--freeze-max-drop=50")
    result.assert_outcomes(passed=1, skipped=1, failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*no candidate has a conclusive verdict (0 of 1): too few examples, 8 *. Use a larger test set.*",
            "*INCONCLUSIVE: emb*too few examples (8 examples of class positive)*",
        ]
    )


def test_a_group_counts_once(session: Session) -> None:
    """The plan says how many there are."""
    result = session({}, "--freeze-group-column=user")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*groups by user*"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--freeze-slice-column=country",), "*'country'*"),
        (("--freeze-group-column=country",), "*'country'*"),
        (("--freeze-test=far=./nowhere",), "*./nowhere*"),
        (("--freeze-test=far=x,far=y",), "*two test sets have the name 'far'. Name each differently."),
        (("--freeze-test=./far.jsonl",), "*--freeze-test=./far.jsonl: give NAME=SOURCE*"),
        (("--freeze-max-slice-drop=3",), "*Give --freeze-slice-column as well."),
        (("--freeze-max-test-drop=3",), "*Give --freeze-test=NAME=SOURCE as well."),
        (("--freeze-metric=f2",), "*there is no metric 'f2'*"),
        (("--freeze-metric=rmse", "--freeze-margin=1"), "*sequence-classification has no metric 'rmse'*"),
        (("--freeze-metric=log-loss",), "*--freeze-metric=log-loss: this metric is measured in nats*--freeze-margin*"),
        (("--freeze-task=multi-label",), "*multi-label (--freeze-task) does not fit whole numbers as labels*"),
        (("--freeze-task=token-classification",), "*token-classification*--freeze-task*"),
        (("--freeze-claims", "--freeze-metric=mcc"), "*--freeze-metric=mcc judges by another metric. Leave one *"),
    ],
    ids=str,
)
def test_what_cannot_be_judged_is_refused_before_training(
    session: Session, flags: tuple[str, ...], message: str
) -> None:
    """One sentence and exit code 4."""
    result = session({}, *flags)
    assert result.ret == 4
    result.stderr.fnmatch_lines([message])


def test_the_plan_shows_what_judges(session: Session, folder: Path) -> None:
    """Task, metric, margin with its unit, limits, slices and test sets with their sizes."""
    flags = (
        "--freeze-plan",
        "--freeze-metric=macro-f1",
        "--freeze-margin=3",
        f"--freeze-test=far={folder}/far/far.jsonl",
    )
    result = session({}, *flags, *LIMITED)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "freezebench: task sequence-classification, judged by macro F1, margin 3 points, *slice-drop=10",
            "freezebench: slices of domain: a (300), b (100)",
            "freezebench: 48 training, 24 validation and 400 test sentences of 2 *; test set far: 400 sentences",
        ]
    )


def test_a_marker_and_an_ini_file_take_test_sets(session: Session, folder: Path, pytester: pytest.Pytester) -> None:
    """A dictionary or a list, and one line each."""
    pytester.makeini(f"[pytest]\nfreeze_test =\n    far={folder}/far/far.jsonl\n    same={folder}/test.jsonl\n")
    result = session({}, "--freeze-plan")
    result.stdout.fnmatch_lines(["*test set far: 400 sentences; test set same: 400 sentences"])
